"""The sightings that sources list and no plan has yet."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from types import ModuleType

import pyarrow as pa
import pyarrow.compute as pc

from anidata import storage
from anidata.catalog import catalog, schemas, tables
from anidata.sources import Options, Record
from anidata.stages.ingest.rows import Sighting, record_id, row_of
from anidata.workspace import Workspace


@dataclass(frozen=True)
class Source:
    """A SOURCE as it was typed, and the kind that takes it."""

    text: str
    kind: str
    module: ModuleType


class Listing:
    """The sightings known while sources are listed, one after the other.

    known: record → stamp, of the plans before this one; it grows. refresh: take what has changed, too.
    """

    def __init__(self, known: dict[str, str], generation: int, *, refresh: bool) -> None:
        self._known, self._generation, self._refresh = known, generation, refresh
        self._fetched_again: set[str] = set()

    def new(self, workspace: Workspace, source: Source, options: Options) -> Iterator[Sighting]:
        """Yield a source's sightings that aren't known, or have changed.

        A placeholder that is still open and isn't listed any more is planned again as settled.
        """
        placeholders = _placeholders(source)
        still_open = _still_open(workspace, placeholders)
        for record in source.module.records(source.text, options):
            name = record_id(source.kind, record.root, record.name)
            if placeholders.pop(name, None):
                is_new = name not in still_open or self._refresh
            else:
                is_new = self._is_new(name, record)
            if is_new:
                yield row_of(source.kind, name, record, self._generation)
        for name in sorted(still_open & placeholders.keys()):
            settled = replace(placeholders[name], error=schemas.SETTLED)
            yield row_of(source.kind, name, settled, self._generation)

    def _is_new(self, name: str, record: Record) -> bool:
        """Whether a record is to be planned.

        If so it is known from now on: a source named twice is listed once.
        """
        known = self._known.get(name)
        if known is not None and not self._has_changed(name, record, known):
            return False
        self._known[name] = record.stamp if self._refresh else ""
        if _is_fetched(record):
            self._fetched_again.add(name)
        return True

    def _has_changed(self, name: str, record: Record, known: str) -> bool:
        """Whether to look at a known record again; what is fetched may always have changed."""
        if not self._refresh or name in self._fetched_again:
            return False
        return known != record.stamp or _is_fetched(record)


def _placeholders(source: Source) -> dict[str, Record]:
    """The rows that stand for what a listing lacks, by their ids.

    There are none where a source lists all or nothing.
    """
    module = source.module
    records: Iterable[Record] = module.placeholders(source.text) if hasattr(module, "placeholders") else ()
    return {record_id(source.kind, record.root, record.name): record for record in records}


def _still_open(workspace: Workspace, names: Iterable[str]) -> set[str]:
    """Those of the rows by these names that are there, and not settled since."""
    wanted = pa.array(list(names), pa.string())
    if not len(wanted):
        return set()
    last: dict[str, str | None] = {}
    for path in tables.files(workspace.folder("plan")):
        table = tables.read(path, schemas.SIGHTINGS).select(["record", "error"])
        rows = table.filter(pc.is_in(table.column("record"), wanted))
        last.update(zip(rows.column("record").to_pylist(), rows.column("error").to_pylist(), strict=True))
    return {name for name, error in last.items() if error != schemas.SETTLED}


def _is_fetched(record: Record) -> bool:
    return any(
        reference is not None and reference.uri.startswith(storage.WEB)
        for reference in (record.at, record.line)
    )


def known_stamps(workspace: Workspace, *, refresh: bool) -> dict[str, str]:
    """Record → stamp, by the latest generation.

    Without `refresh` stamps are empty: nothing is compared. With it those of changed pictures are.
    """
    known: dict[str, str] = {}
    for path in tables.files(workspace.folder("plan")):
        table = tables.read(path, schemas.SIGHTINGS)
        records = table.column("record").to_pylist()
        if refresh:
            known.update(zip(records, table.column("stamp").to_pylist(), strict=True))
        else:
            known.update(dict.fromkeys(records, ""))
    if refresh:
        known |= dict.fromkeys(_changed(workspace), "")  # a file put back has its old date again
    return known


def _changed(workspace: Workspace) -> list[str]:
    """Sightings whose picture had other bytes when it was to be drawn."""
    with catalog.Catalog(workspace) as views:
        rows = views.select("SELECT record FROM records WHERE status = 'changed'")
    records: list[str] = rows.column("record").to_pylist()
    return records
