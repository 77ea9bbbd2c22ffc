"""The columns of a sighting that are to be computed.

All of them, those whose version has changed, or none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anidata.catalog import schemas
from anidata.stages.ingest.rows import ImageRow, RecordRow

DECODE = "decode"  # stands for all columns that are no measure's: decoding a picture gives them


@dataclass(frozen=True)
class Stale:
    """A comparison of the versions and limits that a part was made with and those of now."""

    before: Mapping[str, Any] | None  # None: nothing of the part has been read
    now: Mapping[str, Any]

    def columns(self, row: RecordRow, images: dict[str, ImageRow]) -> set[str]:
        """The measures to compute of a sighting, and DECODE where everything is.

        images: those of its part.
        """
        if self.before is None:
            return self._everything()
        if row["key"] is None:
            return self._everything() if self._may_be_read_now(row) else set()
        if row["line_error"] in schemas.RETRIED:
            return self._everything()
        known = images.get(row["key"])
        if known is None:
            return set()  # it belongs to an earlier part
        if self._is_to_be_decoded(known):
            return self._everything()
        return set() if known["error"] else self._measures()

    def _everything(self) -> set[str]:
        return {*self.now["measures"], DECODE}

    def _measures(self) -> set[str]:
        """The measures whose versions have changed."""
        before = self.before["measures"] if self.before else {}
        return {name for name, version in self.now["measures"].items() if before.get(name) != version}

    def _may_be_read_now(self, row: RecordRow) -> bool:
        """Whether bytes that couldn't be read last time are worth another try."""
        too_large = row["error"] == "too_large"
        return row["error"] in schemas.RETRIED or (too_large and self._differ("max_bytes", "memory_limit"))

    def _is_to_be_decoded(self, known: ImageRow) -> bool:
        if known["error"] in schemas.RETRIED or self._differ("decode", "codes"):
            return True
        if known["error"] is None:
            pixels: int = known["width"] * known["height"]
            return bool(pixels > self.now["max_pixels"])
        return bool(known["error"] == "too_large") and self._differ("max_pixels", "memory_limit")

    def _differ(self, *names: str) -> bool:
        """Whether one of these versions or limits is another than last time."""
        before = self.before or {}
        return any(before.get(name) != self.now[name] for name in names)
