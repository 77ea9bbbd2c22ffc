"""The sightings that sources list and no plan has yet."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from anidata import registry, storage
from anidata.catalog import catalog, schemas, tables
from anidata.engine.limited import Stopped
from anidata.sources import Options, Record, nameless
from anidata.sources.listing.sidecars import clean
from anidata.sources.web.secrets import scrubbed
from anidata.stages.ingest.rows import Sighting, record_id, row_of
from anidata.workspace import Workspace


@dataclass(frozen=True)
class Source:
    """A SOURCE as it was typed, and the kind that takes it."""

    text: str
    kind: str
    module: ModuleType


class Remainder(NamedTuple):
    """The row that stands for what of a source isn't listed, by its id."""

    name: str
    record: Record


Records = Callable[[str, str, Options], Iterator[Record]]  # of a kind and a SOURCE


def listed_here(kind: str, text: str, options: Options) -> Iterator[Record]:
    """A source's records, listed in this process."""
    records: Iterator[Record] = registry.load("sources", kind).records(text, options)
    return records


class Listing:
    """The sightings known while sources are listed, one after the other.

    known: record → stamp, of the plans before this one; it grows. refresh: take what has changed, too.
    stopped: SOURCE → why the remainder of it isn't listed.
    """

    def __init__(
        self, known: dict[str, str], generation: int, *, refresh: bool, records: Records = listed_here
    ) -> None:
        self._known, self._generation, self._refresh = known, generation, refresh
        self._records = records
        self._fetched_again: set[str] = set()
        self.stopped: dict[str, Stopped] = {}

    def new(self, workspace: Workspace, source: Source, options: Options) -> Iterator[Sighting]:
        """Yield a source's sightings that aren't known, or have changed.

        A placeholder that is still open and isn't listed any more is planned again as settled.
        """
        placeholders = _placeholders(source)
        remainder = _remainder(source)
        if remainder.name in self._known:  # the last listing was given up
            placeholders[remainder.name] = remainder.record
        still_open = _still_open(workspace, placeholders)
        try:
            for record in self._records(source.kind, source.text, options):
                name = record_id(source.kind, record.root, record.name)
                if placeholders.pop(name, None):
                    is_new = name not in still_open or self._refresh
                else:
                    is_new = self._is_new(name, record)
                if is_new:
                    yield row_of(source.kind, name, record, self._generation)
        except Stopped as why:
            self.stopped[source.text] = why
            if remainder.name not in still_open:
                lost = replace(remainder.record, error=why.code, message=clean(why.message))
                self._known[remainder.name] = ""
                yield row_of(source.kind, remainder.name, lost, self._generation)
            return
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


def _remainder(source: Source) -> Remainder:
    text = source.text.removeprefix(f"{source.kind}:")
    root = scrubbed(text) if "://" in text else storage.uri_of(Path(text))
    file = storage.readable(nameless(source.text)) or "\ufffd"
    record = Record(root=root, name="#listing", file=file)
    return Remainder(record_id(source.kind, root, record.name), record)


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
