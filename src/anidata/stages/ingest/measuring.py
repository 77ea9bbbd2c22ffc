"""Work through a part of the plan in a worker: read, decode, measure, publish."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from anidata import registry, storage
from anidata.catalog import schemas, tables
from anidata.duplicates import phash, windows
from anidata.engine.engine import Watch
from anidata.engine.memory import within_memory
from anidata.errors import BadImage
from anidata.imaging import decode, image
from anidata.lineart import registration
from anidata.stages.ingest import fetching, plan
from anidata.stages.ingest.config import Part, Row, made_with
from anidata.stages.ingest.rows import reference
from anidata.tar import writer

warm = phash.warm


def measure_part(part: Part, watch: Watch) -> Counter[str]:
    """Work through one part, or through what is stale in it, and publish it."""
    before = tables.made_from(part.path("records")).get("made")
    if before is None:
        planned = tables.read_group(plan.plan_path(part.workspace, part.generation), part.index)
        work = _Work(part, fetching.answered(part.workspace, part.generation, part.index, planned))
    else:
        images = {r["key"]: r for r in tables.rows(part.path("images"), schemas.images_schema())}
        work = _Work(part, tables.rows(part.path("records"), schemas.RECORDS), images, before)
    for row, failure in watch.each(work.sightings):
        if failure:
            work.fail(row, failure.code, failure.message)
        else:
            work.sight(row)
    work.publish()
    return work.counts


def fetch_lanes(task: fetching.Task, watch: Watch) -> Counter[str]:
    """Fetch what a task holds; here, so that the workers started for it are those that will measure."""
    return fetching.fetch_lanes(task, watch)


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
        self.known = plan.known_keys(self.part.workspace, self.part.generation)
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
            self.images[row["key"]] = known | {
                "error": "missing",
                "message": f"can't be read again: {message}",
            }
        else:
            row.update(error=code, message=message, key=None)

    def publish(self) -> None:
        self._publish_copies()
        retry = sum(self._is_to_be_tried_again(r) for r in self.sightings if r["at_uri"])
        made = {"made": self.made, "retry": retry}
        by_key = [self.images[k] for k in sorted(self.images)]
        tables.write(self.part.path("images"), tables.table(by_key, schemas.images_schema()), made)
        tables.write(self.part.path("records"), tables.table(self.sightings, schemas.RECORDS), made)
        self.counts["sightings"] = len(self.sightings) if self.before is None else 0

    def _is_to_be_tried_again(self, row: Row) -> bool:
        return (row["error"] or self._error(row["key"])) in schemas.RETRIED or row[
            "line_error"
        ] in schemas.RETRIED

    def _todo(self, row: Row) -> set[str] | None:
        """The columns to compute for a sighting: all, the stale ones, or none."""
        everything = {*self.made["measures"], "decode"}
        if self.before is None:
            return everything
        if row["key"] is None:
            again = row["error"] in schemas.RETRIED or (
                row["error"] == "too_large" and self._moved("max_bytes", "memory_limit")
            )
            return everything if again else None
        known = self.images.get(row["key"])
        if row["line_error"] in schemas.RETRIED:
            return everything
        if known is None:
            return None  # it belongs to an earlier part
        if (
            known["error"] in schemas.RETRIED
            or any(self.before[n] != self.made[n] for n in ("decode", "codes"))
            or self._limit_moved(known)
        ):
            return everything
        return (
            None
            if known["error"]
            else {n for n, v in self.made["measures"].items() if self.before["measures"].get(n) != v}
        )

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
            raise BadImage(
                "missing",
                "the source has changed since; look again with: anidata ingest WORK SOURCE --refresh",
            )
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
                picture = decode.decode(data, self.config.max_pixels)
                columns = _columns(key, data, picture, todo)
        except BadImage as error:
            self.images[key] = {
                "key": key,
                "bytes": len(data),
                "error": error.code,
                "message": error.message,
                "fresh": self.made,
            }
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
                drawn = decode.decode(lines, self.config.max_pixels)
                colored = picture or decode.decode(data, self.config.max_pixels)
                fits = registration.registration(drawn.rgb, colored.rgb) >= registration.THRESHOLD
        except BadImage as error:
            row.update(line_error=error.code, line_key=None)
            return
        row.update(
            line_error=None if fits else "unregistered", line_key=storage.key_of(lines) if fits else None
        )
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
            tar = writer.TarWriter(file)
            for row, prefix, data in self.copies:
                member = tar.add(f"{row['record']}.{prefix}", data)
                row.update(
                    {
                        f"{prefix}_uri": f"blobs/{path.name}",
                        f"{prefix}_offset": member.offset,
                        f"{prefix}_size": member.size,
                    }
                )
            tar.close()


def _columns(key: str, data: bytes, picture: image.Image, todo: set[str]) -> Row:
    """The row of a decoded picture, or of its stale columns alone."""
    measured = {name: registry.load("measures", name).measure(picture) for name in sorted(todo - {"decode"})}
    if "decode" not in todo:
        return measured
    height, width = picture.rgb.shape[:2]
    row = {
        "key": key,
        "bytes": len(data),
        "format": picture.format,
        "width": width,
        "height": height,
        "frames": picture.frames,
    }
    return (
        row
        | {"error": None, "message": picture.note or None, "transparency": picture.transparency}
        | measured
        | _codes(picture)
    )


def _codes(picture: image.Image) -> Row:
    codes = phash.codes(picture.rgb)
    seen, content = windows.codes(picture, codes.luma, codes.phash, codes.phash_flip)
    row = {name: getattr(codes, name) for name in ("phash", "phash_flip", "colors", "pixels", "degenerate")}
    return row | {"content": content, "windows": seen.tobytes()}
