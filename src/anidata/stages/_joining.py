"""Joining: every pair of pictures whose codes are near, or whose pixels are equal; each join adds the pairs of what is new to those there are."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from anidata import catalog, hashing, image, neighbors, storage
from anidata.workspace import Workspace

VERSION = 1
CROWD = 32  # pictures of one and the same phash that are compared each with each; of more, the rest with the first alone


def join(workspace: Workspace, bits: int, *, flips: bool) -> Counter[str]:
    """Add the edges between pictures that no earlier join has seen and all others; other settings begin anew."""
    folder = workspace.folder("edges")
    settings = {"bits": bits, "flips": flips, "versions": [VERSION, image.VERSION, hashing.VERSION]}
    if any(catalog.made_from(p).get("settings") != settings for p in catalog.files(folder)):
        for path in [*reversed(catalog.files(folder)), *folder.glob("*.keys.npy")]:  # killed within, it leaves the first joins: whole ones
            storage.delete(path)
    with catalog.Catalog(workspace) as views:
        pictures = views.select("SELECT key, phash, phash_flip, pixels, degenerate FROM _seen WHERE error IS NULL ORDER BY key")
    keys = pictures.column("key").to_numpy(zero_copy_only=False).astype("S24")
    new = ~np.isin(keys, _seen(folder))
    if not new.any():
        return Counter()
    found = edges(pictures, new, bits, flips=flips)
    number = len(catalog.files(folder))
    with storage.publishing(folder / f"{number:05d}.keys.npy") as file:
        np.save(file, keys[new], allow_pickle=False)
    catalog.write(folder / f"{number:05d}.parquet", found, {"settings": settings})
    return Counter(joined=int(new.sum()), edges=found.num_rows)


def edges(pictures: pa.Table, new: np.ndarray, bits: int, *, flips: bool) -> pa.Table:
    """Every pair with a new picture in it whose codes are near or whose pixels are equal, each once.

    `relation` is `exact` where the pixels are equal, else null: it takes a look. `mirrored`: whether the codes met as they are
    (`no`), one of them mirrored (`yes`), or in both ways (`both`).
    """
    codes, flipped = (pictures.column(n).to_numpy() for n in ("phash", "phash_flip"))
    sound = np.flatnonzero(~pictures.column("degenerate").to_numpy(zero_copy_only=False))
    few, crowd = _crowds(codes[sound])
    few, crowd = sound[few], _Pairs(sound[crowd.i], sound[crowd.j], crowd.distance)
    straight = neighbors.pairs_within(codes[few], bits, new[few])
    near = _Pairs(*(np.concatenate(p) for p in zip((few[straight.i], few[straight.j], straight.distance), crowd, strict=True)))
    found = [_new_ones(_same_pixels(pictures), new), _new_ones(near, new), NOTHING]
    if flips:
        turned = neighbors.cross_within(codes[few], flipped[few], bits)
        forward = turned.i < turned.j
        found[2] = _new_ones(_Pairs(few[turned.i[forward]], few[turned.j[forward]], turned.distance[forward]), new)
    return _gathered(pictures.column("key").to_numpy(zero_copy_only=False), *found)


class _Pairs(NamedTuple):
    """Places of two pictures in the table, i < j, and the bits between their codes."""

    i: np.ndarray  # int64 (n,)
    j: np.ndarray  # int64 (n,)
    distance: np.ndarray  # uint8 (n,)


NOTHING = _Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint8))


def _crowds(codes: np.ndarray) -> tuple[np.ndarray, "_Pairs"]:
    """The places that are joined each with each, and, where more than CROWD share a code, the rest as a star around the first of them."""
    groups = neighbors.grouped(codes)
    order = np.argsort(groups.of, kind="stable")
    start = np.searchsorted(groups.of[order], np.arange(len(groups.codes)))
    rank = np.empty(len(codes), np.int64)
    rank[order] = np.arange(len(codes)) - start[groups.of[order]]
    rest = np.flatnonzero(rank >= CROWD)
    return np.flatnonzero(rank < CROWD), _Pairs(groups.first[groups.of[rest]], rest, np.zeros(len(rest), np.uint8))


def _new_ones(pairs: "_Pairs", new: np.ndarray) -> "_Pairs":
    told = new[pairs.i] | new[pairs.j]
    return _Pairs(pairs.i[told], pairs.j[told], pairs.distance[told])


def _same_pixels(pictures: pa.Table) -> _Pairs:
    """Each group of equal pixels as a star around its first picture: all are as good as each other."""
    _, first, group = np.unique(
        pictures.column("pixels").to_numpy(zero_copy_only=False).astype("S16"), return_index=True, return_inverse=True
    )
    place = np.arange(len(group))
    rest = np.flatnonzero(first[group] != place)
    return _Pairs(first[group][rest], rest, np.zeros(len(rest), np.uint8))


def _gathered(keys: np.ndarray, same: _Pairs, straight: _Pairs, turned: _Pairs) -> pa.Table:
    """One row a pair, whatever ways it was found in."""
    found = (same, straight, turned)
    i, j, distance = (np.concatenate([getattr(p, name) for p in found]) for name in _Pairs._fields)
    way = np.repeat([1, 2, 4], [len(p.i) for p in found])
    pair, first, group = np.unique(i.astype(np.int64) * len(keys) + j, return_index=True, return_inverse=True)
    ways = np.zeros(len(pair), np.int64)
    np.bitwise_or.at(ways, group, way)
    nearest = np.full(len(pair), 255, np.int32)
    np.minimum.at(nearest, group, distance)
    columns = {
        "a": keys[i[first]],
        "b": keys[j[first]],
        "distance": nearest,
        "mirrored": np.select([ways & 6 == 6, ways & 4 > 0], ["both", "yes"], "no"),
        "relation": np.array([None, "exact"])[ways & 1],
    }
    return pa.table({n: pa.array(v, catalog.EDGES.field(n).type) for n, v in columns.items()}, schema=catalog.EDGES)


def _seen(folder: Path) -> np.ndarray:
    found = [np.load(p.with_suffix(".keys.npy"), allow_pickle=False) for p in catalog.files(folder)]
    return np.concatenate(found) if found else np.empty(0, "S24")
