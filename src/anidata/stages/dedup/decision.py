"""What dedup decides: each picture's cluster, the best of it that it is a copy of, and what it is to that one."""

import pyarrow as pa

from anidata.catalog.decisions import Decision

DUPLICATE = "duplicate"
SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("cluster", pa.string()),
        ("keeper", pa.string()),
        ("relation", pa.string()),
        ("distance", pa.int32()),
        ("reasons", pa.list_(pa.string())),
    ]
)

DECISION = Decision("dedup", SCHEMA, (DUPLICATE,))
