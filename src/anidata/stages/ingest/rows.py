"""A sighting as a row of the plan."""

import hashlib
from typing import Any

from anidata.sources import Record
from anidata.storage import Reference


def record_id(kind: str, root: str, name: str) -> str:
    """24 hex digits: which sighting this is, whatever its bytes are."""
    return hashlib.sha256(f"{kind}\0{root}\0{name}".encode()).hexdigest()[:24]


def row_of(kind: str, name: str, record: Record, generation: int) -> dict[str, Any]:
    return {
        "record": name, "generation": generation, "kind": kind, "root": record.root, "name": record.name, "file": record.file,
        **_columns("at", record.at), **_columns("line", record.line),
        "line_error": record.line_error, "error": record.error, "message": record.message, "stamp": record.stamp, "url": record.url, "license": record.license,
        "artist": record.artist, "rating": record.rating, "tags": list(record.tags), "caption": record.caption,
        "extra": record.extra, "referer": record.referer, "line_referer": record.line_referer,
    }  # fmt: skip


def _columns(prefix: str, reference: Reference | None) -> dict[str, Any]:
    values = (reference.uri, reference.offset, reference.size) if reference else (None, None, None)
    return dict(zip((f"{prefix}_uri", f"{prefix}_offset", f"{prefix}_size"), values, strict=True))


def reference(row: dict[str, Any], prefix: str = "at") -> Reference | None:
    """The reference that a row holds, if it does."""
    uri = row[f"{prefix}_uri"]
    return Reference(uri, row[f"{prefix}_offset"] or 0, row[f"{prefix}_size"]) if uri is not None else None
