"""The decision of dedup: each picture's cluster, the best of it that it copies, and its relation to that."""

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
        ("why", pa.string()),  # its keeper stands before it: a code; null: it is its own
        ("reasons", pa.list_(pa.string())),
    ]
)

DECISION = Decision("dedup", SCHEMA, (DUPLICATE,))
