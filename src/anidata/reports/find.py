"""Finding: which pictures of a workspace a loose picture is a copy of, or looks like.

Nothing is written there, and nothing needs to be decided.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from anidata import storage
from anidata.catalog import catalog
from anidata.duplicates import alignment, phash, place_agreement, place_codes, windows
from anidata.duplicates.page import Page
from anidata.duplicates.place_agreement import Met
from anidata.errors import BadImage
from anidata.imaging import decode, image
from anidata.imaging.reopen import Reader
from anidata.pipeline import Recipe
from anidata.stages.dedup import candidates, placing, verify
from anidata.stages.dedup.candidates import PicturePairs
from anidata.storage import Location
from anidata.workspace import Workspace

# of one distance
NEAREST = ("exact", "reencoded", "flip", "turn", "crop", "overlay", "part", "recolor", "variant", "unknown")
SHOWN = "key, file, url, artist, license, keep, split"  # columns

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Neighbor:
    """A picture of the workspace that looks like the one asked about."""

    key: str
    relation: str  # as dedup has them; `unknown` where it can't be read any more
    distance: int | None  # bits of 64 between the nearest two windows; None: places alone tell
    file: str
    url: str | None
    artist: str | None
    license: str | None
    keep: bool | None
    split: str | None


@dataclass
class Answer:
    """The neighbors of one file."""

    path: Path
    neighbors: list[Neighbor] = field(default_factory=list)  # the nearest first
    error: str = ""  # why it can't be read

    def to_json(self) -> Row:
        error = {"error": self.error} if self.error else {}
        return {"path": str(self.path), "found": [asdict(neighbor) for neighbor in self.neighbors]} | error


@dataclass(frozen=True)
class _Loose:
    """A picture that isn't in the workspace."""

    answer: Answer
    view: alignment.View
    pixels: bytes
    codes: np.ndarray  # windows.CODE
    places: np.ndarray  # place_codes.PLACE


class _Near(NamedTuple):
    """How a known picture and a loose one met."""

    distance: int | None  # bits; None: by places alone
    ways: int  # as candidates.PicturePairs has them; none where no windows met
    hint: np.void | None = None  # place_agreement.HINT, of the known picture and the loose one


def find(workspace: Workspace, recipe: Recipe, paths: Sequence[Path], most: int) -> list[Answer]:
    """The nearest records of each file, at most so many."""
    answers = [Answer(path) for path in paths]
    reader = Reader(workspace, recipe.ingest.max_bytes, recipe.ingest.max_pixels)
    loose = list(_opened(answers, reader))
    with catalog.Catalog(workspace) as views, TemporaryDirectory() as folder:
        readable = views.select("SELECT key FROM _seen WHERE error IS NULL ORDER BY key")
        keys = readable.column("key").to_pylist()
        candidates.spread(views, Path(folder))
        pairs = _near_pairs(Path(folder), len(keys), loose, recipe)
        placed = None if recipe.dedup.places == "off" else _placed_pairs(views, len(keys), loose)
        for number, picture in enumerate(loose, len(keys)):
            near = _near(pairs, keys, number)
            if placed:
                _add_placed(near, placed, keys, number)
            picture.answer.neighbors = _neighbors(views, reader, picture, near)[:most]
    return answers


def _opened(answers: Sequence[Answer], reader: Reader) -> Iterator[_Loose]:
    for answer in answers:
        try:
            picture = _picture(reader, answer.path)
        except BadImage as error:
            answer.error = str(error)
            continue
        codes = phash.codes(picture.rgb)
        seen, _ = windows.codes(picture, codes.luma, codes.phash, codes.phash_flip)
        view, places = alignment.View(alignment.thumbnail(picture.rgb)), place_codes.codes(picture)
        yield _Loose(answer, view, codes.pixels, seen, places)


def _picture(reader: Reader, path: Path) -> image.Image:
    data = storage.read(storage.Reference(storage.uri_of(path)), Path(), reader.max_bytes, links=True)
    return decode.decode(data, reader.max_pixels)


def _near_pairs(folder: Path, known: int, loose: Sequence[_Loose], recipe: Recipe) -> PicturePairs:
    """The pairs of which one is loose: it stands behind the known pictures."""
    with (folder / "windows").open("ab") as file:
        for number, picture in enumerate(loose, known):
            numbers = np.full(len(picture.codes), number)
            file.write(candidates.entries(picture.codes, numbers).tobytes())
    new = np.arange(known + len(loose)) >= known
    part = candidates.JoinPart(folder, recipe.dedup.max_distance, recipe.dedup.flips, (0, 1))
    return candidates.near(candidates.mapped(folder), np.ones(len(new), np.bool_), new, part)


def _near(pairs: PicturePairs, keys: Sequence[str], number: int) -> dict[str, _Near]:
    """Key → how it met, of the known pictures that are near to the loose one of this number."""
    near: dict[str, _Near] = {}
    for known, loose, distance, ways in zip(*pairs, strict=True):
        if loose == number and known < len(keys):
            near[keys[known]] = _Near(int(distance), int(ways))
    return near


def _placed_pairs(views: catalog.Catalog, known: int, loose: Sequence[_Loose]) -> Met:
    """The pairs of which places agree, and of which one is loose: it stands behind the known pictures."""
    placed = placing.read(views)
    numbers = [np.full(len(picture.places), n) for n, picture in enumerate(loose, known)]
    places = np.concatenate([placed.places, *(picture.places for picture in loose)])
    new = np.arange(known + len(loose)) >= known
    return place_agreement.met(places, np.concatenate([placed.owner, *numbers]), new)


def _add_placed(near: dict[str, _Near], placed: Met, keys: Sequence[str], number: int) -> None:
    """Add the known pictures that places show in the loose one of this number, or in which they show it."""
    for known, hint in zip(placed.i[placed.j == number], placed.hint[placed.j == number], strict=True):
        if known < len(keys):
            met = near.get(keys[known], _Near(None, 0))
            near[keys[known]] = met._replace(hint=hint)


def _neighbors(
    views: catalog.Catalog, reader: Reader, picture: _Loose, near: dict[str, _Near]
) -> list[Neighbor]:
    """Neighbors by their distance; those that a look at both pictures doesn't find related are none."""
    same_pixels = f"SELECT key FROM _seen WHERE error IS NULL AND pixels = '{_blob(picture.pixels)}'::BLOB"
    near |= dict.fromkeys(views.keys(same_pixels), _Near(0, candidates.EQUAL))
    asked = pa.table({"key": pa.array(sorted(near), pa.string())})
    rows = _by_key(views, f"SELECT {SHOWN} FROM images SEMI JOIN _asked USING (key)", asked)
    locations = _by_key(views, "SELECT key, places FROM _places SEMI JOIN _asked USING (key)", asked)
    neighbors = []
    for key, met in near.items():
        if met.ways == candidates.EQUAL:
            relation = "exact"
        else:
            places = locations[key]["places"] if key in locations else []
            relation = _relation(reader, picture, key, places, met)
        if relation != "unrelated":
            neighbors.append(Neighbor(relation=relation, distance=met.distance, **rows[key]))
    return sorted(neighbors, key=_nearness)


def _by_key(views: catalog.Catalog, sql: str, asked: pa.Table) -> dict[str, Row]:
    """The rows of an answer about the keys asked for."""
    return {row["key"]: row for row in views.select(sql, _asked=asked).to_pylist()}


def _nearness(neighbor: Neighbor) -> tuple[float, int, str]:
    distance = math.inf if neighbor.distance is None else neighbor.distance
    return distance, NEAREST.index(neighbor.relation), neighbor.key


def _relation(reader: Reader, picture: _Loose, key: str, places: list[Location], met: _Near) -> str:
    (mirrored,), (turned,) = (column.tolist() for column in candidates.met_in(np.array([met.ways])))
    try:
        known = reader.decode(places, key).rgb
        whole = partial(_both, reader, picture, known)
        view = alignment.View(alignment.thumbnail(known))
        return verify.pair_relation(view, picture.view, mirrored, whole, turned, met.hint)
    except BadImage:
        return "unknown"


def _both(reader: Reader, picture: _Loose, known: alignment.Pixels) -> tuple[Page, Page]:
    return Page(known), Page(_picture(reader, picture.answer.path).rgb)


def _blob(data: bytes) -> str:
    return "".join(f"\\x{byte:02X}" for byte in data)
