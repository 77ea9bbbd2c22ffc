"""Work through a part of the plan in a worker: read, decode, measure, publish."""

import tarfile
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from anidata import registry, storage
from anidata.catalog import schemas, tables
from anidata.duplicates import phash, place_codes, windows
from anidata.engine.engine import Watch
from anidata.engine.memory import within_memory
from anidata.errors import BadImage
from anidata.imaging import decode, image
from anidata.lineart import registration
from anidata.stages.ingest import fetching, lanes, plan
from anidata.stages.ingest.config import IngestPart, made_with
from anidata.stages.ingest.rows import (
    ImageRow,
    RecordRow,
    Sighting,
    line_reference,
    picture_reference,
    refer_line,
    refer_picture,
)
from anidata.stages.ingest.stale import DECODE, Stale
from anidata.tar import opening, writer

warm = phash.warm

CHANGED = "the source has changed since; look again with: anidata ingest WORK SOURCE --refresh"


def measure_part(part: IngestPart, watch: Watch) -> Counter[str]:
    """Work through one part, or through what is stale in it, and publish it."""
    before = part.noted().get("made")
    work = _first_work(part) if before is None else _work_again(part, before)
    for row, failure in watch.each(work.sightings):
        if failure:
            work.fail(row, failure.code, failure.message)
        else:
            work.sight(row)
    work.publish()
    return work.counts


def fetch_lanes(task: fetching.Task, watch: Watch) -> Counter[str]:
    """Fetch what a task holds; here, so that the workers started for it are those that will measure."""
    return lanes.fetch_lanes(task, watch)


@dataclass(frozen=True)
class _Copy:
    """Bytes to be kept in the workspace."""

    row: RecordRow
    is_line: bool
    data: bytes


@dataclass(kw_only=True)
class _PartWork:
    """A part under way: its sightings, the pictures seen among them, and copies of their bytes."""

    part: IngestPart
    sightings: list[RecordRow]
    images: dict[str, ImageRow] = field(default_factory=dict)
    before: dict[str, Any] | None = None  # the versions and limits of last time
    copies: list[_Copy] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.config, self.base = self.part.config, self.part.workspace.path
        self.made = made_with(self.config)
        self.stale = Stale(self.before, self.made)
        self.known = plan.known_keys(self.part.workspace, self.part.generation)

    def sight(self, row: RecordRow) -> None:
        """Read one sighting's bytes, if it has any to read and anything to be learned from them."""
        reference = picture_reference(row)
        todo = self.stale.columns(row, self.images)
        if reference is None or not todo:
            return
        try:
            with within_memory():
                self._see(row, self._read(row, reference, row["key"]), todo)
        except BadImage as error:
            self.fail(row, error.code, error.message)

    def _read(self, row: RecordRow, reference: storage.Reference, key: str | None) -> bytes:
        """The bytes of a sighting; what was seen before, by its key, may lie behind a link by now.

        Raises: BadImage: `missing` where it was seen before and is another one; what reading raises.
        """
        links, most = key is not None, self.config.max_bytes
        data = storage.read(reference, self.base, most, links=links, root=row["root"] or "")
        if key not in (None, storage.key_of(data)):
            raise BadImage("missing", CHANGED)
        return data

    def fail(self, row: RecordRow, code: str, message: str) -> None:
        """Write down that nothing could be read of this sighting.

        What is known of the picture stays, marked as failed until it can be read again.
        """
        key = row["key"] or ""
        known = self.images.get(key)
        if known:
            failure = {"error": "missing", "message": f"can't be read again: {message}"}
            self.images[key] = known | failure
        else:
            row["error"], row["message"], row["key"] = code, message, None

    def publish(self) -> None:
        self._publish_copies()
        retry = sum(self._is_to_be_tried_again(row) for row in self.sightings if row["at_uri"])
        made: dict[str, Any] = {"made": self.made, "retry": retry}
        images = [self.images[key] for key in sorted(self.images)]
        records = cast("list[dict[str, Any]]", self.sightings)
        pictures = self.part.path("images")
        tables.write(pictures, tables.table(images, schemas.images_schema()), made)
        made["images"] = pictures.stat().st_size
        tables.write(self.part.path("records"), tables.table(records, schemas.RECORDS), made)
        self.counts["sightings"] = len(self.sightings) if self.before is None else 0

    def _is_to_be_tried_again(self, row: RecordRow) -> bool:
        error = row["error"] or self._error(row["key"])
        return error in schemas.RETRIED or row["line_error"] in schemas.RETRIED

    def _see(self, row: RecordRow, data: bytes, todo: set[str]) -> None:
        key = storage.key_of(data)
        row["message"] = None if row["error"] else row["message"]
        row["key"], row["error"] = key, None
        if self.before is None and self.config.copy and (row["at_uri"] or "").startswith(storage.FILE):
            self.copies.append(_Copy(row, is_line=False, data=data))
        picture = None if self._is_measured(key, todo) else self._measure(key, data, todo)
        if row["line_uri"] and DECODE in todo:
            self._see_line(row, data, picture)

    def _is_measured(self, key: str, todo: set[str]) -> bool:
        """Whether a picture's columns are there: by an earlier part, or by this one as it is now."""
        if DECODE in todo and self.before is None and key not in self.images:
            index = int(np.searchsorted(self.known, key.encode()))
            return index < len(self.known) and self.known[index] == key.encode()
        known = self.images.get(key)
        return known is not None and known.get("fresh") == self.made

    def _measure(self, key: str, data: bytes, todo: set[str]) -> image.Image | None:
        try:
            with within_memory():
                picture = decode.decode(data, self.config.max_pixels)
                columns = _columns(key, data, picture, todo)
        except BadImage as error:
            failure = {"error": error.code, "message": error.message}
            self.images[key] = {"key": key, "bytes": len(data), **failure, "fresh": self.made}
            return None
        before = {} if DECODE in todo else self.images.get(key, {})
        self.images[key] = before | columns | {"fresh": self.made}
        self.counts.update(name for name in todo if name != DECODE)
        return picture

    def _see_line(self, row: RecordRow, data: bytes, picture: image.Image | None) -> None:
        """Take the artist's own lines if they belong to this very picture, and say why where they don't."""
        reference = line_reference(row)
        if reference is None or self._error(row["key"]):
            return
        try:
            with within_memory():
                lines = self._read(row, reference, row["line_key"])
                fits = self._fits(lines, data, picture)
        except BadImage as error:
            row["line_error"], row["line_key"] = error.code, None
            return
        row["line_error"] = None if fits else "unregistered"
        row["line_key"] = storage.key_of(lines) if fits else None
        if self.config.copy and reference.uri.startswith(storage.FILE):
            self.copies.append(_Copy(row, is_line=True, data=lines))

    def _fits(self, lines: bytes, data: bytes, picture: image.Image | None) -> bool:
        """Whether lines lie on a picture's own; one that hasn't been decoded is. Raises: BadImage."""
        drawn = decode.decode(lines, self.config.max_pixels)
        colored = picture or decode.decode(data, self.config.max_pixels)
        return registration.registration(drawn.rgb, colored.rgb) >= registration.THRESHOLD

    def _error(self, key: str | None) -> str | None:
        error: str | None = self.images.get(key or "", {}).get("error")
        return error

    def _publish_copies(self) -> None:
        if not self.copies:
            return
        path = _blob(self.part)
        if path.exists() and _kept_copies(self.part):  # of what may be gone elsewhere: it stays
            return
        with storage.publishing(path) as file:
            tar = writer.TarWriter(file)
            for copy in self.copies:
                ending, refer = ("line", refer_line) if copy.is_line else ("at", refer_picture)
                member = tar.add(f"{copy.row['record']}.{ending}", copy.data)
                refer(copy.row, f"blobs/{path.name}", member.offset, member.size)
            tar.close()


def _blob(part: IngestPart) -> Path:
    """The tar of a part's copies."""
    return part.workspace.folder("blobs") / f"{part.path('records').stem}.tar"


def _first_work(part: IngestPart) -> _PartWork:
    """A part of which nothing has been read."""
    planned = plan.read_part(plan.plan_path(part.workspace, part.generation), part.index)
    sightings = fetching.answered(part.workspace, part.generation, part.index, planned)
    copies, blob = _kept_copies(part), f"blobs/{_blob(part).name}"
    for row in sightings:
        _refer_to_copies(row, blob, copies)
    return _PartWork(part=part, sightings=[_unread(row) for row in sightings])


def _kept_copies(part: IngestPart) -> dict[str, writer.Member]:
    """The copies in the workspace of a part whose tables are gone: they may be all that there is by now."""
    path = _blob(part)
    if not path.exists():
        return {}
    with opening.opened(path) as file, suppress(tarfile.TarError):
        return {member.name: member for member in writer.members(file)}
    return {}


def _refer_to_copies(row: Sighting, blob: str, copies: dict[str, writer.Member]) -> None:
    """Have a row refer to its copies where it refers to files elsewhere."""
    for ending, uri, refer in (("at", row["at_uri"], refer_picture), ("line", row["line_uri"], refer_line)):
        copy = copies.get(f"{row['record']}.{ending}")
        if copy and (uri or "").startswith(storage.FILE):
            refer(row, blob, copy.offset, copy.size)


def _unread(sighting: Sighting) -> RecordRow:
    row = cast("RecordRow", sighting)
    row.setdefault("key", None)
    row.setdefault("line_key", None)
    row.setdefault("line_error", None)
    return row


def _work_again(part: IngestPart, before: dict[str, Any]) -> _PartWork:
    """A part that is published, and made with other versions or limits or to be tried again."""
    images = {row["key"]: row for row in tables.rows(part.path("images"), schemas.images_schema())}
    sightings = cast("list[RecordRow]", tables.rows(part.path("records"), schemas.RECORDS))
    return _PartWork(part=part, sightings=sightings, images=images, before=before)


def _columns(key: str, data: bytes, picture: image.Image, todo: set[str]) -> ImageRow:
    """The row of a decoded picture, or of its stale columns alone."""
    measured = {name: registry.load("measures", name).measure(picture) for name in sorted(todo - {DECODE})}
    if DECODE not in todo:
        return measured
    height, width = picture.rgb.shape[:2]
    return {
        "key": key,
        "bytes": len(data),
        "format": picture.format,
        "width": width,
        "height": height,
        "frames": picture.frames,
        "error": None,
        "message": picture.note or None,
        "transparency": picture.transparency,
        **measured,
        **_codes(picture),
    }


def _codes(picture: image.Image) -> ImageRow:
    codes = phash.codes(picture.rgb)
    framed, content = windows.codes(picture, codes.luma, codes.phash, codes.phash_flip)
    return {
        "phash": codes.phash,
        "phash_flip": codes.phash_flip,
        "colors": codes.colors,
        "pixels": codes.pixels,
        "degenerate": codes.degenerate,
        "content": content,
        "windows": framed.tobytes(),
        "place_codes": place_codes.codes(picture).tobytes(),
    }
