"""The pictures on the page: read again by workers, each once in a part, as small WebPs; and maps of where the members of clusters differ."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import PIL.Image

from anidata.duplicates import alignment
from anidata.duplicates.alignment import Pixels
from anidata.engine.engine import Engine, Watch
from anidata.engine.memory import within_memory
from anidata.errors import BadImage
from anidata.imaging.reopen import Reader
from anidata.pipeline import Recipe
from anidata.reports.page import heat
from anidata.reports.page.choice import DOUBTFUL, Choice
from anidata.stages.ingest import config
from anidata.workspace import Workspace

LOOSE = 16  # pictures in a part that are in no cluster
QUALITIES = (80, 60, 40, 20, 5)  # of WebP, the first whose file is small enough
MOST_BYTES = 12_000  # of a thumbnail: a thousand on a page stay below 16 MB in base64

Row = dict[str, Any]
Pair = tuple[str, str]  # keeper, member


@dataclass(frozen=True)
class Thumbnail:
    """A WebP, or why there is none."""

    data: bytes = b""
    width: int = 1  # px
    height: int = 1
    error: str = ""  # a code
    message: str = ""


@dataclass(frozen=True)
class Difference:
    """A map of heat, and what it comes to."""

    map: Thumbnail
    mean: float  # ΔE
    spot: float  # ΔE
    mirrored: bool


@dataclass(frozen=True)
class Part:
    """Pictures to open together."""

    places: dict[str, list[Row]]  # key → places
    pairs: dict[Pair, str]  # → relation
    reader: Reader


@dataclass
class Opened:
    """What workers made of the chosen pictures."""

    pictures: dict[str, Thumbnail] = field(default_factory=dict)  # key → thumbnail
    differences: dict[Pair, Difference] = field(
        default_factory=dict
    )  # of those whose pictures could both be opened

    def add(self, other: "Opened") -> None:
        self.pictures |= other.pictures
        self.differences |= other.differences

    @property
    def unreadable(self) -> int:
        return sum(bool(picture.error) for picture in self.pictures.values())


def open_all(workspace: Workspace, recipe: Recipe, engine: Engine, chosen: Choice) -> Opened:
    """Thumbnails of all that was chosen, under the limits with which it was first read."""
    opened, todo = (
        Opened(),
        list(parts(chosen, Reader(workspace, recipe.ingest.max_bytes, recipe.ingest.max_pixels))),
    )
    if todo:
        total = sum(len(part.places) for part in todo)
        for _, found in engine.map(
            open_part, todo, limits=config.limits(recipe.ingest), label="report", total=total
        ):
            opened.add(found)
    return opened


def parts(chosen: Choice, reader: Reader) -> Iterator[Part]:
    """A part for each cluster; what is in none in parts of LOOSE."""
    loose = set(chosen.files)
    for cluster in chosen.clusters:
        pairs = {(row["keeper"], row["key"]): row["relation"] for group in cluster.members for row in group}
        keys = {key for pair in pairs for key in pair}
        loose -= keys
        yield Part(_places_of(keys, chosen), pairs, reader)
    rest = sorted(loose)
    for start in range(0, len(rest), LOOSE):
        yield Part(_places_of(set(rest[start : start + LOOSE]), chosen), {}, reader)


def _places_of(keys: set[str], chosen: Choice) -> dict[str, list[Row]]:
    return {key: chosen.places.get(key, []) for key in sorted(keys)}


def open_part(part: Part, watch: Watch) -> Opened:
    """In a worker: look at each picture once."""
    opened, seen = Opened(), dict[str, Pixels]()
    for (key, places), failure in watch.each(list(part.places.items())):
        if failure:
            opened.pictures[key] = Thumbnail(error=failure.code, message=failure.message)
            continue
        try:
            with within_memory():
                seen[key] = alignment.thumbnail(part.reader.decode(places, key, alignment.SIDE).rgb)
        except BadImage as error:
            opened.pictures[key] = Thumbnail(error=error.code, message=error.message)
        else:
            opened.pictures[key] = small(seen[key])
    for (keeper, member), name in part.pairs.items():
        if keeper in seen and member in seen:
            found = heat.compared(seen[keeper], seen[member], None if name in DOUBTFUL else name == "flip")
            opened.differences[keeper, member] = Difference(
                small(found.pixels), found.mean, found.spot, found.mirrored
            )
    return opened


def small(rgb: Pixels) -> Thumbnail:
    """A picture as a WebP of at most MOST_BYTES, or as few as there can be."""
    for quality in QUALITIES:
        file = io.BytesIO()
        PIL.Image.fromarray(rgb).save(file, "WEBP", quality=quality, method=4)
        if file.tell() <= MOST_BYTES:
            break
    return Thumbnail(file.getvalue(), rgb.shape[1], rgb.shape[0])
