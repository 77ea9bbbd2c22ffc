"""Finding: which pictures of a workspace a loose picture is a copy of, or looks like. Nothing is written there, and nothing needs to be decided."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa

from anidata import storage
from anidata.catalog import catalog
from anidata.duplicates import alignment, phash, windows
from anidata.errors import BadImage
from anidata.imaging import decode, image
from anidata.imaging.reopen import Reader
from anidata.pipeline import Recipe
from anidata.stages.dedup import candidates, verify
from anidata.stages.dedup.candidates import PicturePairs
from anidata.storage import Location
from anidata.workspace import Workspace

WAYS = {candidates.STRAIGHT: "no", candidates.TURNED: "yes", candidates.STRAIGHT | candidates.TURNED: "both"}
NEAREST = ("exact", "reencoded", "flip", "crop", "recolor", "variant", "unknown")  # of one distance
TOLD = "key, file, url, artist, license, keep, split"

Row = dict[str, Any]


@dataclass(frozen=True)
class Neighbor:
    """A picture of the workspace that looks like the one asked about."""

    key: str
    relation: str  # as dedup has them; `unknown` where it can't be read any more
    distance: int  # bits of 64 between the nearest two windows
    file: str
    url: str | None
    artist: str | None
    license: str | None
    keep: bool | None
    split: str | None


@dataclass
class Answer:
    """What was found for one file."""

    path: Path
    found: list[Neighbor] = field(default_factory=list)  # the nearest first
    error: str = ""  # why it can't be read

    def to_json(self) -> Row:
        return {"path": str(self.path), "found": [asdict(near) for near in self.found]} | (
            {"error": self.error} if self.error else {}
        )


@dataclass(frozen=True)
class _Loose:
    """A picture that isn't in the workspace."""

    answer: Answer
    view: alignment.View
    pixels: bytes
    codes: np.ndarray  # windows.CODE


def find(workspace: Workspace, recipe: Recipe, paths: Sequence[Path], most: int) -> list[Answer]:
    """The nearest records of each file, at most so many."""
    answers = [Answer(path) for path in paths]
    reader = Reader(workspace, recipe.ingest.max_bytes, recipe.ingest.max_pixels)
    loose = list(_opened(answers, reader))
    with catalog.Catalog(workspace) as views, TemporaryDirectory() as folder:
        keys = (
            views.select("SELECT key FROM _seen WHERE error IS NULL ORDER BY key").column("key").to_pylist()
        )
        candidates.spread(views, Path(folder))
        met = _met(Path(folder), len(keys), loose, recipe)
        for place, one in enumerate(loose):
            near = {
                keys[i]: (int(d), int(w))
                for i, j, d, w in zip(*met, strict=True)
                if j == len(keys) + place and i < len(keys)
            }
            one.answer.found = _told(views, reader, one, near)[:most]
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
        yield _Loose(answer, alignment.View(alignment.thumbnail(picture.rgb)), codes.pixels, seen)


def _picture(reader: Reader, path: Path) -> image.Image:
    return decode.decode(
        storage.read(storage.Reference(storage.uri_of(path)), Path(), reader.max_bytes), reader.max_pixels
    )


def _met(folder: Path, known: int, loose: Sequence[_Loose], recipe: Recipe) -> PicturePairs:
    """The pairs of which one is loose: it stands behind the known pictures."""
    with (folder / "windows").open("ab") as file:
        for place, one in enumerate(loose):
            file.write(candidates.entries(one.codes, np.full(len(one.codes), known + place)).tobytes())
    new = np.arange(known + len(loose)) >= known
    part = candidates.JoinPart(folder, recipe.dedup.max_distance, recipe.dedup.flips, (0, 1))
    return candidates.near(candidates.mapped(folder), np.ones(len(new), np.bool_), new, part)


def _told(
    views: catalog.Catalog, reader: Reader, one: _Loose, near: dict[str, tuple[int, int]]
) -> list[Neighbor]:
    """Neighbors by their distance; those that a look at both pictures doesn't find related are none."""
    equal = views.keys(f"SELECT key FROM _seen WHERE error IS NULL AND pixels = '{_blob(one.pixels)}'::BLOB")
    near |= dict.fromkeys(equal, (0, candidates.EQUAL))
    asked = pa.table({"key": pa.array(sorted(near), pa.string())})
    rows = {
        row["key"]: row
        for row in views.select(
            f"SELECT {TOLD} FROM images SEMI JOIN _asked USING (key)", _asked=asked
        ).to_pylist()
    }
    found = views.select(
        "SELECT key, places FROM _places SEMI JOIN _asked USING (key)", _asked=asked
    ).to_pylist()
    places = {row["key"]: row["places"] for row in found}
    told = []
    for key, (distance, way) in near.items():
        name = (
            "exact"
            if way == candidates.EQUAL
            else _relation(reader, one, key, places.get(key, []), WAYS[way])
        )
        if name != "unrelated":
            told.append(Neighbor(relation=name, distance=distance, **rows[key]))
    return sorted(
        told, key=lambda neighbor: (neighbor.distance, NEAREST.index(neighbor.relation), neighbor.key)
    )


def _relation(reader: Reader, one: _Loose, key: str, places: list[Location], mirrored: str) -> str:
    try:
        known = reader.decode(places, key).rgb
        whole = partial(_both, reader, one, known)
        return verify.pair_relation(alignment.View(alignment.thumbnail(known)), one.view, mirrored, whole)
    except BadImage:
        return "unknown"


def _both(reader: Reader, one: _Loose, known: alignment.Pixels) -> tuple[alignment.Pixels, alignment.Pixels]:
    return known, _picture(reader, one.answer.path).rgb


def _blob(data: bytes) -> str:
    return "".join(f"\\x{byte:02X}" for byte in data)
