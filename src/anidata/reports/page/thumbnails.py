"""The pictures on the page, read again by workers, each once in a part, as small WebPs.

With them come maps of where the members of clusters differ.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field

import PIL.Image

from anidata.duplicates import alignment
from anidata.duplicates.alignment import Pixels
from anidata.duplicates.ways import STRAIGHT, Way
from anidata.engine.engine import Watch
from anidata.engine.job import Job
from anidata.engine.memory import within_memory
from anidata.errors import BadImage
from anidata.imaging.reopen import Reader
from anidata.reports.page import heat
from anidata.reports.page.choice import DOUBTFUL, Choice
from anidata.stages.ingest import config
from anidata.storage import Location

LOOSE = 16  # pictures in a part that are in no cluster
QUALITIES = (80, 60, 40, 20, 5)  # of WebP, the first whose file is small enough
MOST_BYTES = 12_000  # of a thumbnail: a thousand on a page stay below 16 MB in base64

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
    """A map of heat, and its figures."""

    map: Thumbnail
    mean: float  # ΔE
    spot: float  # ΔE
    way: Way  # in which a member that is no copy was seen; its relation tells it of the others


@dataclass(frozen=True)
class PagePart:
    """Pictures to open together."""

    places: dict[str, list[Location]]  # key → places
    pairs: dict[Pair, str]  # → relation
    reader: Reader


PART = "part"  # thumbnails show too little of it to lay it on the whole


@dataclass
class Opened:
    """The chosen pictures as workers opened them."""

    pictures: dict[str, Thumbnail] = field(default_factory=dict)  # key → thumbnail
    # Of pairs of which both could be opened.
    differences: dict[Pair, Difference] = field(default_factory=dict)

    def add(self, other: "Opened") -> None:
        self.pictures |= other.pictures
        self.differences |= other.differences

    @property
    def unreadable(self) -> int:
        return sum(bool(picture.error) for picture in self.pictures.values())


def open_all(job: Job, chosen: Choice) -> Opened:
    """Thumbnails of all that was chosen, under the limits with which it was first read."""
    opened, reading = Opened(), job.recipe.ingest
    todo = list(parts(chosen, Reader(job.workspace, reading.max_bytes, reading.max_pixels)))
    if todo:
        total = sum(len(part.places) for part in todo)
        limits = config.limits(reading)
        for _, made in job.engine.map(open_part, todo, limits=limits, label="report", total=total):
            opened.add(made)
    return opened


def parts(chosen: Choice, reader: Reader) -> Iterator[PagePart]:
    """A part for each cluster; what is in none in parts of LOOSE."""
    loose = set(chosen.files)
    for cluster in chosen.clusters:
        pairs = {(row["keeper"], row["key"]): row["relation"] for group in cluster.members for row in group}
        keys = {key for pair in pairs for key in pair}
        loose -= keys
        yield PagePart(_places_of(keys, chosen), pairs, reader)
    others = sorted(loose)
    for start in range(0, len(others), LOOSE):
        yield PagePart(_places_of(set(others[start : start + LOOSE]), chosen), {}, reader)


def _places_of(keys: set[str], chosen: Choice) -> dict[str, list[Location]]:
    return {key: chosen.places.get(key, []) for key in sorted(keys)}


def open_part(part: PagePart, watch: Watch) -> Opened:
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
    for (keeper, member), relation in part.pairs.items():
        if keeper in seen and member in seen and relation != PART:
            opened.differences[keeper, member] = _difference(seen[keeper], seen[member], relation)
    return opened


def _difference(keeper: Pixels, member: Pixels, relation: str) -> Difference:
    map_ = heat.compared(keeper, member, relation)
    way = map_.way if relation in DOUBTFUL else STRAIGHT
    return Difference(small(map_.pixels), map_.mean, map_.spot, way)


def small(rgb: Pixels) -> Thumbnail:
    """A picture as a WebP of at most MOST_BYTES, or as few as there can be."""
    for quality in QUALITIES:
        file = io.BytesIO()
        PIL.Image.fromarray(rgb).save(file, "WEBP", quality=quality, method=4)
        if file.tell() <= MOST_BYTES:
            break
    return Thumbnail(file.getvalue(), rgb.shape[1], rgb.shape[0])
