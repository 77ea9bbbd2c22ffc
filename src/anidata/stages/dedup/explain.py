"""The decision on a picture in words: whose copy it is, and what says that the other stands before it."""

from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from anidata.catalog.catalog import Catalog
from anidata.stages.dedup import codes
from anidata.stages.dedup.decision import DUPLICATE
from anidata.workspace import Workspace

ASKED = """
SELECT d.key, d.keep, d.reasons, d.relation, d.keeper, d.why, m.file
FROM _decided d SEMI JOIN _asked USING (key) LEFT JOIN (SELECT key, file FROM _merged) m ON d.keeper = m.key
WHERE d.keeper <> d.key ORDER BY d.key
"""


@dataclass(frozen=True, kw_only=True)
class Fate:
    """What dedup says of a picture that has a keeper."""

    fate: str  # dropped, kept, or rejected: by clean, and dedup would drop it
    relation: str
    keeper: str
    file: str | None  # the keeper's
    why: str | None  # a code; None: an earlier version has decided
    words: str


def explain(workspace: Workspace, keys: list[str]) -> dict[str, Fate]:
    """Key → what has been decided, of the pictures among these that are like a keeper."""
    asked = pa.table({"key": pa.array(keys, pa.string())})
    with Catalog(workspace) as views:
        rows = views.select(ASKED, _asked=asked).to_pylist()
    return {row["key"]: _fate(row) for row in rows}


def to_json(fates: dict[str, Fate]) -> dict[str, Any]:
    """The answers as JSON has them."""
    return {"dedup": {key: asdict(fate) for key, fate in fates.items()}} if fates else {}


def _fate(row: dict[str, Any]) -> Fate:
    is_copy = DUPLICATE in row["reasons"]
    fate = "kept" if row["keep"] else "rejected"
    return Fate(
        fate="dropped" if is_copy and row["reasons"][0] == DUPLICATE else fate,
        relation=row["relation"],
        keeper=row["keeper"],
        file=row["file"],
        why=row["why"],
        words=_words(row, is_copy),
    )


def _words(row: dict[str, Any], is_copy: bool) -> str:
    """'dropped: a re-encoding of a.png (1f…); it shows more of JPEG's blocks'."""
    verb = "dropped" if is_copy else "kept beside its keeper"
    about = f"{codes.RELATIONS.get(row['relation'], row['relation'])} {row['file']} ({row['keeper']})"
    return f"{verb}: {about}" + (f"; {codes.words(row['why'])}" if row["why"] else "")
