"""A part of URLs, and the table of what was fetched of it: published from its journal, and read again."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from anidata.catalog import schemas, tables
from anidata.fetch import validator
from anidata.sources.web.secrets import url_without_secrets
from anidata.stages.ingest import plan, private, requests
from anidata.stages.ingest.journal import Entry, Journal
from anidata.stages.ingest.requests import AskedUrl
from anidata.stages.ingest.rows import FetchedRow, Sighting
from anidata.workspace import Workspace

REFUSALS = ("robots", "noai", "tdm_reserved", "content_usage")
GONE = ("http_404", "http_410", "http_451", *REFUSALS)  # asked for again: these replace what was known


@dataclass(frozen=True)
class FetchPart:
    """A part of URLs."""

    workspace: Workspace
    generation: int
    index: int
    lane: int
    size: int

    def path(self, folder: str, ending: str) -> Path:
        return self.workspace.folder(folder) / f"part-{self.generation:05d}-{self.index:05d}.{ending}"

    def sightings(self) -> list[Sighting]:
        """Its rows of the plan, with their URLs as they are fetched."""
        rows = plan.read_part(plan.plan_path(self.workspace, self.generation), self.index)
        return private.joined(self.workspace, self.generation, self.index, rows)


def fetched_rows(path: Path) -> list[FetchedRow]:
    """The rows of one part."""
    return cast("list[FetchedRow]", tables.rows(path, schemas.FETCHED))


def publish(part: FetchPart, asked: list[AskedUrl], journal: Journal, earlier: dict[str, FetchedRow]) -> None:
    """Make the journal the tar of what came; then write the table."""
    uri = f"blobs/{part.path('blobs', 'tar').name}"
    rows = []
    for url in asked:
        entry = journal.entries[url["record"]]
        row = _row_of(entry, url["generation"], uri)
        before = earlier.get(url["record"])
        if before is not None and before["at_uri"] is not None and not entry.size:
            _keep_earlier(row, before)
        rows.append(row)
    journal.finish()
    table = tables.table(cast("list[dict[str, Any]]", rows), schemas.FETCHED)
    tables.write(part.path("fetched", "parquet"), table)


def _row_of(entry: Entry, generation: int, uri: str) -> FetchedRow:
    """A response as a row; uri: where its bytes will lie."""
    row = cast("FetchedRow", requests.shown(cast("dict[str, Any]", entry.row)))
    row["generation"] = generation
    row["asked"] = round(entry.row["asked"] * 1e6)
    row["at_uri"], row["at_offset"], row["at_size"] = None, None, None
    if entry.size:
        row["at_uri"], row["at_offset"], row["at_size"] = uri, entry.offset, entry.size
    return row


def _keep_earlier(row: FetchedRow, earlier: FetchedRow) -> None:
    """Keep what was known where nothing has changed, and where the host can't be asked just now."""
    if row["error"] in GONE:
        return
    row["at_uri"], row["at_offset"] = earlier["at_uri"], earlier["at_offset"]
    row["at_size"] = earlier["at_size"]
    row["etag"] = row["etag"] or validator(earlier["etag"])
    row["modified"] = row["modified"] or validator(earlier["modified"])
    if row["error"] is not None:
        row["error"], row["message"] = None, f"can't be asked again: {row['message']}"


def latest(parts: Sequence[FetchPart]) -> dict[str, FetchedRow]:
    """The latest row of each URL of these parts that an earlier generation has fetched, by its record."""
    again = [part for part in parts if part.generation]
    if not again:
        return {}
    urls = (url for part in again for url in requests.asked(part.sightings()))
    wanted = {url["record"]: url_without_secrets(url["at_uri"]) for url in urls}
    records = pa.array(sorted(wanted), pa.string())
    rows: dict[str, FetchedRow] = {}
    for path in tables.files(again[0].workspace.folder("fetched")):
        table = tables.read(path, schemas.FETCHED)
        fetched = table.filter(pc.is_in(table.column("record"), records)).to_pylist()
        same = (row for row in fetched if url_without_secrets(row["url"]) == wanted[row["record"]])
        rows.update((row["record"], row) for row in same)
    return rows
