"""The settings of ingest, a part of its plan, and what its columns were made with."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anidata import registry
from anidata.catalog import tables
from anidata.duplicates import phash, place_codes, windows
from anidata.engine.engine import Limits
from anidata.fetch import Config as FetchConfig
from anidata.imaging import decode
from anidata.recipe import Amount, Count, Document, Positive
from anidata.workspace import Workspace

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Config:
    """Read every picture once, and measure it."""

    # file names of the artist's own lineart; * is the stem of its color picture; empty: none
    lines: str = "*_line.*"
    colors: str = "*_color.*"  # file names of those color pictures, tried before the bare stem
    copy: bool = False  # keep a copy of all bytes in the workspace, not of unpacked ones alone
    max_pixels: Positive = 100_000_000  # width × height; a larger picture is too_large
    max_bytes: Positive = 268_435_456  # of one file
    # bytes unpacked for each packed one, beyond the first MiB of an archive's member
    max_ratio: Positive = 200
    max_unpacked: Positive = 1_099_511_627_776  # bytes unpacked from one archive
    time_limit: Amount = 60.0  # seconds for one picture; 0: none
    memory_limit: Count = 4_294_967_296  # bytes a worker may take; 0: no limit
    part_size: Positive = 256  # pictures in a part: the unit of work, of resume and of loss
    url_column: str = ""  # of a list of URLs; empty: url, image_url, file_url and the like
    # of a table of pictures, or of a list of URLs: the artist's own lineart; empty: none
    line_column: str = ""
    fetch: FetchConfig = field(default_factory=FetchConfig)


@dataclass(frozen=True)
class IngestPart:
    """One row group of a plan, and how to read it."""

    workspace: Workspace
    generation: int
    index: int
    size: int  # sightings
    config: Config

    def path(self, folder: str) -> Path:
        return self.workspace.folder(folder) / f"part-{self.generation:05d}-{self.index:05d}.parquet"

    def noted(self) -> dict[str, Any]:
        """The notes in its tables on how they were made; none unless both are there, as large as written."""
        noted, images = tables.made_from(self.path("records")), self.path("images")
        size = images.stat().st_size if images.exists() else None
        return noted if size is not None and noted.get("images", size) == size else {}


def limits(config: Config) -> Limits:
    return Limits(config.time_limit, config.memory_limit)


def made_with(config: Config) -> dict[str, Any]:
    """All that the columns of a picture depend on, besides its bytes."""
    versions = {name: registry.load("measures", name).VERSION for name in registry.names("measures")}
    return {
        "decode": decode.VERSION,
        "codes": [phash.VERSION, windows.VERSION, place_codes.VERSION],
        "measures": versions,
        "max_pixels": config.max_pixels,
        "max_bytes": config.max_bytes,
        "memory_limit": config.memory_limit,
    }


def portable(table: Document) -> Document:
    """The table without a person's address, which is nobody's business but the hosts'."""
    return table | {"fetch": table["fetch"] | {"contact": ""}}
