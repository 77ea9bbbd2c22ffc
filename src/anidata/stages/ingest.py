"""Ingest: read every picture once, and keep what was seen of its bytes, pixels, measures and codes as rows.

A part is a row group of a plan. Its worker publishes images/part-*.parquet, then records/part-*.parquet: the latter says it is done,
and its footer what it was made with, so that a raised VERSION or limit recomputes what depends on it and nothing else.
"""

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from anidata import catalog, hashing, image, parts, registration, shards, storage, windows
from anidata.engine import Engine, Limits, Watch
from anidata.errors import BadImage
from anidata.fetch import Bounds
from anidata.fetch import Config as FetchConfig
from anidata.recipe import Amount, Count, Positive
from anidata.sources import Options
from anidata.stages import _fetching, _listing
from anidata.stages._listing import Request, reference
from anidata.stages._memory import within_memory
from anidata.workspace import Workspace

Row = dict[str, Any]


@dataclass(frozen=True)
class Config:
    """Read every picture once, and measure it."""

    lines: str = "*_line.*"  # file names of the artist's own lineart; * is the stem of its color picture; empty: none
    colors: str = "*_color.*"  # file names of those color pictures, tried before the bare stem
    copy: bool = False  # keep a copy of all bytes in the workspace, not of unpacked ones alone
    max_pixels: Positive = 100_000_000  # width × height; a larger picture is too_large
    max_bytes: Positive = 268_435_456  # of one file
    max_ratio: Positive = 200  # bytes unpacked for each packed one, beyond the first MiB of an archive's member
    max_unpacked: Positive = 1_099_511_627_776  # bytes unpacked from one archive
    time_limit: Amount = 60.0  # seconds for one picture; 0: none
    memory_limit: Count = 4_294_967_296  # bytes a worker may take; 0: no limit
    part_size: Positive = 256  # pictures in a part: the unit of work, of resume and of loss
    url_column: str = ""  # of a list of URLs; empty: url, image_url, file_url and the like
    line_column: str = ""  # of a table of pictures, or of a list of URLs: the artist's own lineart; empty: none
    fetch: FetchConfig = field(default_factory=FetchConfig)


@dataclass(frozen=True)
class Part:
    """One row group of a plan, and how to read it."""

    workspace: Workspace
    generation: int
    index: int
    size: int  # sightings
    config: Config

    def path(self, folder: str) -> Path:
        return self.workspace.folder(folder) / f"part-{self.generation:05d}-{self.index:05d}.parquet"


warm = hashing.warm


def run(workspace: Workspace, config: Config, engine: Engine, request: Request) -> Counter[str]:
    """Finish what earlier plans left open, ask again for what failed by what may pass, then add the sources' new sightings as a plan of its own and work through it."""
    passing = set() if request.retry else _listing.passing(workspace)
    counts = _work(workspace, config, engine)
    passing &= _listing.passing(workspace) if passing else set()
    if passing and _listing.plan_again(workspace, passing, config.part_size):
        counts += _work(workspace, config, engine)
    if request.retry and _listing.add_failed(workspace, request.retry, config.part_size):
        counts += _work(workspace, config, engine)
    if request.sources and _listing.add_generation(workspace, request, _options(workspace, config), config.part_size):
        counts += _work(workspace, config, engine)
    for name in ("records", "images"):
        catalog.gather(workspace, name)
    return counts


def _options(workspace: Workspace, config: Config) -> Options:
    bounds = config.max_bytes, config.max_ratio, config.max_unpacked
    return Options(workspace.path, config.lines, config.colors, *bounds, config.url_column, config.fetch.allow_private, config.line_column)


def limits(config: Config) -> Limits:
    return Limits(config.time_limit, config.memory_limit)


def open_parts(workspace: Workspace, config: Config) -> list[Part]:
    """The parts that are planned and not done, or done with other versions or limits, or to be tried again."""
    made = made_with(config)
    found = []
    for generation in _listing.generations(workspace):
        for index, size in enumerate(catalog.group_sizes(_listing.plan_path(workspace, generation))):
            part = Part(workspace, generation, index, size, config)
            before = catalog.made_from(part.path("records"))
            if before.get("made") != made or before.get("retry", 0):
                found.append(part)
    return found


def made_with(config: Config) -> dict[str, Any]:
    """What the columns of a picture depend on, besides its bytes."""
    versions = {name: parts.load("measures", name).VERSION for name in parts.names("measures")}
    return {
        "decode": image.VERSION,
        "codes": [hashing.VERSION, windows.VERSION],
        "measures": versions,
        "max_pixels": config.max_pixels,
        "max_bytes": config.max_bytes,
        "memory_limit": config.memory_limit,
    }


def measure_part(part: Part, watch: Watch) -> Counter[str]:
    """Work through one part, or through what is stale in it, and publish it."""
    before = catalog.made_from(part.path("records")).get("made")
    if before is None:
        planned = catalog.read_group(_listing.plan_path(part.workspace, part.generation), part.index)
        work = _Work(part, _fetching.answered(part.workspace, part.generation, part.index, planned))
    else:
        images = {r["key"]: r for r in catalog.rows(part.path("images"), catalog.images_schema())}
        work = _Work(part, catalog.rows(part.path("records"), catalog.RECORDS), images, before)
    for row, failure in watch.each(work.sightings):
        if failure:
            work.fail(row, failure.code, failure.message)
        else:
            work.sight(row)
    work.publish()
    return work.counts


def _work(workspace: Workspace, config: Config, engine: Engine) -> Counter[str]:
    bounds = Bounds(config.max_bytes, config.max_ratio)
    counts = _fetching.run(workspace, config.fetch, bounds, partial(fetch_tasks, engine), engine.workers)
    todo = open_parts(workspace, config)
    if not todo:
        return counts
    for _, result in engine.map(measure_part, todo, limits=limits(config), label="ingest", total=sum(p.size for p in todo)):
        counts += result
    return counts


def fetch_tasks(engine: Engine, tasks: list[_fetching.Task]) -> Counter[str]:
    counts: Counter[str] = Counter()
    total = sum(part.size for task in tasks for part in task.parts)
    for _, result in engine.map(fetch_lanes, tasks, limits=Limits(0, 0), label="fetch", total=total, unit="URLs"):
        counts += result
    return counts


def fetch_lanes(task: _fetching.Task, watch: Watch) -> Counter[str]:
    """Fetch what a task holds; here, so that the workers started for it are those that will measure."""
    return _fetching.fetch_lanes(task, watch)


@dataclass
class _Work:
    """A part under way: its sightings, the pictures seen among them, and copies of their bytes."""

    part: Part
    sightings: list[Row]
    images: dict[str, Row] = field(default_factory=dict)
    before: Row | None = None  # what the part was made with last time
    copies: list[tuple[Row, str, bytes]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.config, self.base = self.part.config, self.part.workspace.path
        self.made = made_with(self.config)
        self.known = _listing.known_keys(self.part.workspace, self.part.generation)
        for row in self.sightings:
            row.setdefault("key", None)
            row.setdefault("line_key", None)
            row.setdefault("line_error", None)

    def sight(self, row: Row) -> None:
        """Read one sighting's bytes, if it has any to read and anything to be learned from them."""
        at, todo = reference(row), self._todo(row)
        if at is None or not todo:
            return
        try:
            with within_memory():
                self._see(row, storage.read(at, self.base, self.config.max_bytes), todo)
        except BadImage as error:
            self.fail(row, error.code, error.message)

    def fail(self, row: Row, code: str, message: str) -> None:
        """Nothing could be read of this sighting. What is known of the picture stays, marked as failed until it can be read again."""
        known = self.images.get(row["key"] or "")
        if known:
            self.images[row["key"]] = known | {"error": "missing", "message": f"can't be read again: {message}"}
        else:
            row.update(error=code, message=message, key=None)

    def publish(self) -> None:
        self._publish_copies()
        retry = sum(self._is_to_be_tried_again(r) for r in self.sightings if r["at_uri"])
        made = {"made": self.made, "retry": retry}
        by_key = [self.images[k] for k in sorted(self.images)]
        catalog.write(self.part.path("images"), catalog.table(by_key, catalog.images_schema()), made)
        catalog.write(self.part.path("records"), catalog.table(self.sightings, catalog.RECORDS), made)
        self.counts["sightings"] = len(self.sightings) if self.before is None else 0

    def _is_to_be_tried_again(self, row: Row) -> bool:
        return (row["error"] or self._error(row["key"])) in catalog.RETRIED or row["line_error"] in catalog.RETRIED

    def _todo(self, row: Row) -> set[str] | None:
        """The columns to compute for a sighting: all, the stale ones, or none."""
        everything = {*self.made["measures"], "decode"}
        if self.before is None:
            return everything
        if row["key"] is None:
            again = row["error"] in catalog.RETRIED or (row["error"] == "too_large" and self._moved("max_bytes", "memory_limit"))
            return everything if again else None
        known = self.images.get(row["key"])
        if row["line_error"] in catalog.RETRIED:
            return everything
        if known is None:
            return None  # it belongs to an earlier part
        if (
            known["error"] in catalog.RETRIED
            or any(self.before[n] != self.made[n] for n in ("decode", "codes"))
            or self._limit_moved(known)
        ):
            return everything
        return None if known["error"] else {n for n, v in self.made["measures"].items() if self.before["measures"].get(n) != v}

    def _limit_moved(self, known: Row) -> bool:
        refused = known["error"] == "too_large"
        over = known["error"] is None and known["width"] * known["height"] > self.config.max_pixels
        return over or (refused and self._moved("max_pixels", "memory_limit"))

    def _moved(self, *settings: str) -> bool:
        """Whether one of them is another than last time."""
        return self.before is not None and any(self.before.get(name) != self.made[name] for name in settings)

    def _see(self, row: Row, data: bytes, todo: set[str]) -> None:
        key = storage.key_of(data)
        if row["key"] not in (None, key):
            raise BadImage("missing", "the source has changed since; look again with: anidata ingest WORK SOURCE --refresh")
        row.update(key=key, error=None, message=None if row["error"] else row["message"])
        if self.before is None and self.config.copy and (row["at_uri"] or "").startswith(storage.FILE):
            self.copies.append((row, "at", data))
        picture = None
        if not self._measured(key, todo):
            picture = self._measure(key, data, todo)
        if row["line_uri"] and "decode" in todo:
            self._see_line(row, data, picture)

    def _measured(self, key: str, todo: set[str]) -> bool:
        if "decode" in todo and self.before is None and key not in self.images:
            place = int(np.searchsorted(self.known, key.encode()))
            return place < len(self.known) and self.known[place] == key.encode()
        known = self.images.get(key)
        return known is not None and known.get("fresh") == self.made

    def _measure(self, key: str, data: bytes, todo: set[str]) -> image.Image | None:
        try:
            with within_memory():
                picture = image.decode(data, self.config.max_pixels)
                columns = _columns(key, data, picture, todo)
        except BadImage as error:
            self.images[key] = {"key": key, "bytes": len(data), "error": error.code, "message": error.message, "fresh": self.made}
            return None
        old = self.images.get(key, {}) if "decode" not in todo else {}
        self.images[key] = old | columns | {"fresh": self.made}
        self.counts.update(n for n in todo if n != "decode")
        return picture

    def _see_line(self, row: Row, data: bytes, picture: image.Image | None) -> None:
        """Take the artist's own lines if they belong to this very picture, and say why where they don't."""
        at = reference(row, "line")
        if at is None or self._error(row["key"]):
            return
        try:
            with within_memory():
                lines = storage.read(at, self.base, self.config.max_bytes)
                drawn = image.decode(lines, self.config.max_pixels)
                colored = picture or image.decode(data, self.config.max_pixels)
                fits = registration.registration(drawn.rgb, colored.rgb) >= registration.THRESHOLD
        except BadImage as error:
            row.update(line_error=error.code, line_key=None)
            return
        row.update(line_error=None if fits else "unregistered", line_key=storage.key_of(lines) if fits else None)
        if self.config.copy and at.uri.startswith(storage.FILE):
            self.copies.append((row, "line", lines))

    def _error(self, key: str | None) -> str | None:
        error: str | None = self.images.get(key or "", {}).get("error")
        return error

    def _publish_copies(self) -> None:
        if not self.copies:
            return
        path = self.part.workspace.folder("blobs") / (self.part.path("records").stem + ".tar")
        with storage.publishing(path) as file:
            tar = shards.TarWriter(file)
            for row, prefix, data in self.copies:
                member = tar.add(f"{row['record']}.{prefix}", data)
                row.update({f"{prefix}_uri": f"blobs/{path.name}", f"{prefix}_offset": member.offset, f"{prefix}_size": member.size})
            tar.close()


def _columns(key: str, data: bytes, picture: image.Image, todo: set[str]) -> Row:
    """The row of a decoded picture, or of its stale columns alone."""
    measured = {name: parts.load("measures", name).measure(picture) for name in sorted(todo - {"decode"})}
    if "decode" not in todo:
        return measured
    height, width = picture.rgb.shape[:2]
    row = {"key": key, "bytes": len(data), "format": picture.format, "width": width, "height": height, "frames": picture.frames}
    return row | {"error": None, "message": picture.note or None, "transparency": picture.transparency} | measured | _codes(picture)


def _codes(picture: image.Image) -> Row:
    codes = hashing.codes(picture.rgb)
    seen, content = windows.codes(picture, codes.luma, codes.phash, codes.phash_flip)
    row = {name: getattr(codes, name) for name in ("phash", "phash_flip", "colors", "pixels", "degenerate")}
    return row | {"content": content, "windows": seen.tobytes()}
