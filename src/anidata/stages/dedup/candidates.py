"""Joining: every pair of pictures of which one, or a window of it, looks like the other, or whose pixels are equal.

Each join adds the pairs of what is new to those there are, and finds what one join of everything would. The windows go to a file that
the engine's workers map: each takes a share of the join. A worker holds the 64-bit codes, the main process the wholes' alone.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.lib.recfunctions import repack_fields

from anidata import storage
from anidata.catalog import catalog, schemas, tables
from anidata.duplicates import hamming, pairs, phash, windows
from anidata.engine.engine import Engine, Limits, Watch
from anidata.imaging import decode
from anidata.workspace import Workspace

VERSION = 2
CROWD = 32  # pictures of one and the same code that are compared each with each; of more, the rest with the first alone
FAR = 80  # bits of 256: finds beyond aren't worth a look. Copies stay within 78, and of pictures that meet by chance hardly one does
ALONE = 1 << 18  # windows up to which this process joins by itself: beyond, workers are worth starting
BATCH = 1 << 14  # pictures asked for at once
ENTRY = np.dtype([("owner", "<u4"), *windows.CODE.descr])  # a window and the place of its picture
COARSE = ["owner", "kind", "code"]
MIRRORED = np.array([window.mirrored for window in windows.WINDOWS])
STRAIGHT, TURNED, EQUAL = 1, 2, 4  # the ways in which a pair was found


class Found(NamedTuple):
    """Pairs of pictures by their places, i < j."""

    i: np.ndarray  # int64 (n,)
    j: np.ndarray  # int64 (n,)
    distance: np.ndarray  # uint8 (n,): bits between the nearest two windows
    way: np.ndarray  # uint8 (n,)


@dataclass(frozen=True)
class Part:
    """A share of a join."""

    folder: Path  # of what is joined
    bits: int
    flips: bool
    share: pairs.Share


def join(workspace: Workspace, bits: int, *, flips: bool, engine: Engine) -> Counter[str]:
    """Add the edges between pictures that no earlier join has seen and all others; other settings begin anew."""
    folder = workspace.folder("edges")
    settings = {
        "bits": bits,
        "flips": flips,
        "versions": [VERSION, decode.VERSION, phash.VERSION, windows.VERSION],
    }
    if any(tables.made_from(p).get("settings") != settings for p in tables.files(folder)):
        _begin_anew(folder)
    workspace.folder("tmp").mkdir(exist_ok=True)
    with catalog.Catalog(workspace) as views, TemporaryDirectory(dir=workspace.folder("tmp")) as place:
        pictures = views.select("SELECT key, pixels FROM _seen WHERE error IS NULL ORDER BY key")
        keys = pictures.column("key").to_numpy(zero_copy_only=False).astype("S24")
        if np.isin(keys, _seen(folder)).all():
            return Counter()
        wholes, lone = spread(views, Path(place))
        few, crowd = crowds(wholes, len(keys))
        if len(crowd.i) and tables.files(folder):
            _begin_anew(folder)  # who stands for a crowd depends on all of it; verdicts on pairs are kept
        new = ~np.isin(keys, _seen(folder))
        np.save(Path(place) / "few.npy", few)
        np.save(Path(place) / "new.npy", new)
        met = merged(
            [*_shared_out(Part(Path(place), bits, flips, (0, 1)), engine), crowd, _same_pixels(pictures)]
        )
    found = _edges(keys, met, new)
    number = len(tables.files(folder))
    with storage.publishing(folder / f"{number:05d}.keys.npy") as file:
        np.save(file, keys[new], allow_pickle=False)
    tables.write(folder / f"{number:05d}.parquet", found, {"settings": settings})
    return Counter(joined=int(new.sum()), edges=found.num_rows, too_flat=lone)


def join_part(part: Part, _watch: Watch) -> Found:
    """What one share of a join finds."""
    few, new = (np.load(part.folder / f"{name}.npy") for name in ("few", "new"))
    return near(mapped(part.folder), few, new, part)


def near(seen: np.ndarray, few: np.ndarray, new: np.ndarray, part: Part) -> Found:
    """Pairs of pictures, one of them new, that a whole of one and some window of the other are within the bits of.

    seen: (n,) ENTRY. few, new: (pictures,): which are joined, and which no earlier join has seen.
    """
    owner, kind, code = seen["owner"].astype(np.int64), seen["kind"], np.ascontiguousarray(seen["code"])
    used, fresh = few[owner], new[owner]
    if not part.flips:
        used &= ~MIRRORED[kind]
    wholes, others = (
        np.flatnonzero(used & chosen) for chosen in (kind < len(windows.WHOLES), kind >= len(windows.WHOLES))
    )
    met = [(wholes, wholes, hamming.pairs_within(code[wholes], part.bits, fresh[wholes], part.share))]
    for told, asking in ((wholes, others[fresh[others]]), (wholes[fresh[wholes]], others[~fresh[others]])):
        met.append((told, asking, hamming.cross_within(code[told], code[asking], part.bits, part.share)))
    a, b, distance = (
        np.concatenate(c)
        for c in zip(*((told[p.i], asking[p.j], p.distance) for told, asking, p in met), strict=True)
    )
    alike = (owner[a] != owner[b]) & (np.bitwise_count(seen["fine"][a] ^ seen["fine"][b]).sum(axis=1) <= FAR)
    a, b, distance = a[alike], b[alike], distance[alike]
    way = np.where(MIRRORED[kind[b]], TURNED, STRAIGHT).astype(np.uint8)
    return merged([Found(np.minimum(owner[a], owner[b]), np.maximum(owner[a], owner[b]), distance, way)])


def merged(found: list[Found]) -> Found:
    """Each pair once, with its least distance and all its ways; sorted."""
    i, j, distance, way = (np.concatenate(column) for column in zip(*found, strict=True))
    pair, of = np.unique(i << 32 | j, return_inverse=True)
    nearest, ways = np.full(len(pair), 255, np.uint8), np.zeros(len(pair), np.uint8)
    np.minimum.at(nearest, of, distance)
    np.bitwise_or.at(ways, of, way)
    return Found(pair >> 32, pair & 0xFFFFFFFF, nearest, ways)


def crowds(seen: np.ndarray, count: int) -> tuple[np.ndarray, Found]:
    """Which pictures are joined, (count,), and, where more than CROWD share the code of a whole, the rest as a star around the first of them."""
    few, stars = np.ones(count, np.bool_), [_NONE]
    for kind in range(len(windows.WHOLES)):
        some = seen[seen["kind"] == kind]
        some = some[few[some["owner"]]]
        owner, groups = some["owner"].astype(np.int64), pairs.grouped(np.ascontiguousarray(some["code"]))
        order = np.argsort(groups.of, kind="stable")  # owners ascend, and so within their group
        rank = np.empty(len(order), np.int64)
        rank[order] = (
            np.arange(len(order))
            - np.searchsorted(groups.of[order], np.arange(len(groups.codes)))[groups.of[order]]
        )
        rest = np.flatnonzero(rank >= CROWD)
        few[owner[rest]] = False
        stars.append(_star(owner[groups.first[groups.of[rest]]], owner[rest], STRAIGHT))
    return few, merged(stars)


def _star(center: np.ndarray, rest: np.ndarray, way: int) -> Found:
    return Found(
        np.minimum(center, rest),
        np.maximum(center, rest),
        np.zeros(len(rest), np.uint8),
        np.full(len(rest), way, np.uint8),
    )


_NONE = _star(np.empty(0, np.int64), np.empty(0, np.int64), STRAIGHT)


def _shared_out(part: Part, engine: Engine) -> list[Found]:
    if len(mapped(part.folder)) <= ALONE:
        return [join_part(part, Watch())]
    shares = [Part(part.folder, part.bits, part.flips, (k, engine.workers)) for k in range(engine.workers)]
    return [found for _, found in engine.map(join_part, shares, limits=Limits(0, 0))]


def spread(views: catalog.Catalog, folder: Path) -> tuple[np.ndarray, int]:
    """Write the windows of all readable pictures to a file, by key.

    The wholes among them, without their fine codes; and how many pictures have no window: they are too flat to be told apart.
    """
    start = lone = 0
    wholes = [np.empty(0, ENTRY)[COARSE]]
    with (folder / "windows").open("wb") as file:
        for batch in views.batches("SELECT windows FROM _seen WHERE error IS NULL ORDER BY key", BATCH):
            found = batch.column("windows").to_pylist()
            counts = [len(codes) // windows.CODE.itemsize for codes in found]
            some = entries(
                np.frombuffer(b"".join(found), windows.CODE),
                np.repeat(np.arange(start, start + len(found)), counts),
            )
            file.write(some.tobytes())
            wholes.append(repack_fields(some[some["kind"] < len(windows.WHOLES)][COARSE]))
            start, lone = start + len(found), lone + counts.count(0)
    return np.concatenate(wholes), lone


def entries(codes: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """(n,) ENTRY of windows.CODE and the places of their pictures, (n,)."""
    found = np.empty(len(codes), ENTRY)
    found["owner"] = owner
    for name in windows.CODE.names or ():
        found[name] = codes[name]
    return found


def mapped(folder: Path) -> np.ndarray:
    path = folder / "windows"
    return np.memmap(path, ENTRY, mode="r") if path.stat().st_size else np.empty(0, ENTRY)


def _same_pixels(pictures: pa.Table) -> Found:
    """Each group of equal pixels as a star around its first picture: all are as good as each other."""
    pixels = pictures.column("pixels").to_numpy(zero_copy_only=False).astype("S16")
    _, first, group = np.unique(pixels, return_index=True, return_inverse=True)
    rest = np.flatnonzero(first[group] != np.arange(len(group)))
    return _star(first[group][rest].astype(np.int64), rest, EQUAL)


def _edges(keys: np.ndarray, found: Found, new: np.ndarray) -> pa.Table:
    """The pairs with a new picture as rows: `relation` is `exact` where the pixels are equal, else null: it takes a look.

    `mirrored`: whether the pictures met as they are (`no`), one of them mirrored (`yes`), or in both ways (`both`).
    """
    i, j, distance, way = (column[new[found.i] | new[found.j]] for column in found)
    both = STRAIGHT | TURNED
    columns = {
        "a": keys[i],
        "b": keys[j],
        "distance": distance.astype(np.int32),
        "mirrored": np.select([way & both == both, way & TURNED > 0], ["both", "yes"], "no"),
        "relation": np.array([None, "exact"])[(way & EQUAL > 0).astype(int)],
    }
    return pa.table(
        {n: pa.array(v, schemas.EDGES.field(n).type) for n, v in columns.items()}, schema=schemas.EDGES
    )


def _begin_anew(folder: Path) -> None:
    for path in [
        *reversed(tables.files(folder)),
        *folder.glob("*.keys.npy"),
    ]:  # killed within, it leaves the first joins: whole ones
        storage.delete(path)


def _seen(folder: Path) -> np.ndarray:
    found = [np.load(p.with_suffix(".keys.npy"), allow_pickle=False) for p in tables.files(folder)]
    return np.concatenate(found) if found else np.empty(0, "S24")
