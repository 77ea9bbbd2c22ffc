"""Joining: every pair of pictures of which one looks like the other, or a window of it, or has equal pixels.

Each join adds the pairs of what is new to those there are, and finds what one join of everything would.
The windows go to a file that the engine's workers map: each takes a share of the join. A worker holds the
64-bit codes, the main process the wholes' alone.
"""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.lib.recfunctions import repack_fields

from anidata import ownership
from anidata.catalog import catalog, schemas, tables
from anidata.duplicates import hamming, pairs, phash, windows
from anidata.duplicates.ways import MIRRORED, STRAIGHT, TURNS
from anidata.engine.engine import Engine, Limits, Watch
from anidata.imaging import decode
from anidata.stages.dedup import joins
from anidata.stages.dedup.state import JOIN_VERSION
from anidata.workspace import Workspace

# Pictures of one and the same code that are compared each with each; of more,
# those beyond with the first alone.
CROWD = 32
# Bits of 256: matches beyond aren't worth a look.
# Copies stay within 78, and of pictures that meet by chance hardly one does.
FAR = 80
ALONE = 1 << 18  # windows up to which this process joins by itself: beyond, workers are worth starting
BATCH = 1 << 14  # pictures asked for at once
UNMET = 255  # bits, more than there are
ENTRY = np.dtype([("owner", "<u4"), *windows.CODE.descr])  # a window and the place of its picture
COARSE = ["owner", "kind", "code"]
# The ways in which a pair was found, as bits: beside EQUAL those in which its second shows its first.
EQUAL = 1
BITS = {way: EQUAL << n for n, way in enumerate((STRAIGHT, MIRRORED, *TURNS), 1)}
FIRST_TURN = BITS[TURNS[0]]
LYING = FIRST_TURN - 1  # all others
# Bits of 64 in which a turned window may differ: so 443 of 449 turned copies of the half that is fitted to
# are linked; and the fewer bits, the shorter the join.
TURNED_BITS = 6
TURNED = np.array([window.way.quarters > 0 for window in windows.WINDOWS])  # by kind
# By kind, where the second of a pair asks and where the first does.
WAYS = np.array([BITS[window.way] for window in windows.WINDOWS], np.uint16)
BACK = np.array([BITS[window.way.back] for window in windows.WINDOWS], np.uint16)


class PicturePairs(NamedTuple):
    """Pairs of pictures by their places, i < j."""

    i: np.ndarray  # int64 (n,)
    j: np.ndarray  # int64 (n,)
    distance: np.ndarray  # uint8 (n,): bits between the nearest two windows
    way: np.ndarray  # uint16 (n,)


@dataclass(frozen=True)
class JoinPart:
    """A share of a join."""

    folder: Path  # of what is joined
    bits: int
    flips: bool
    share: pairs.Share


def join(workspace: Workspace, bits: int, *, flips: bool, engine: Engine) -> Counter[str]:
    """Add the edges between pictures that no earlier join has seen and all others; anew by other settings."""
    folder = workspace.folder("edges")
    versions = [JOIN_VERSION, decode.VERSION, phash.VERSION, windows.VERSION]
    settings = {"bits": bits, "flips": flips, "versions": versions}
    if any(tables.made_from(p).get("settings") != settings for p in tables.files(folder)):
        joins.begin_anew(folder)
    with catalog.Catalog(workspace) as views, ownership.scratch(workspace.folder("tmp")) as scratch:
        pictures = views.select("SELECT key, pixels FROM _seen WHERE error IS NULL ORDER BY key")
        keys = pictures.column("key").to_numpy(zero_copy_only=False).astype("S24")
        if np.isin(keys, joins.seen(folder)).all():
            return Counter()
        wholes, lone = spread(views, scratch)
        few, crowd = crowds(wholes, len(keys))
        if len(crowd.i) and tables.files(folder):
            joins.begin_anew(folder)  # who stands for a crowd depends on all of it; relations of pairs are kept
        new = ~np.isin(keys, joins.seen(folder))
        np.save(scratch / "few.npy", few)
        np.save(scratch / "new.npy", new)
        joined = _joined(JoinPart(scratch, bits, flips, (0, 1)), engine)
        met = merged([*joined, crowd, _same_pixels(pictures)])
    edges = _edges(keys, met, new)
    joins.publish(folder, keys[new], edges, {"settings": settings})
    return Counter(joined=int(new.sum()), edges=edges.num_rows, too_flat=lone)


def join_part(part: JoinPart, _watch: Watch) -> PicturePairs:
    """The pairs of one share of a join."""
    few, new = (np.load(part.folder / f"{name}.npy", allow_pickle=False) for name in ("few", "new"))
    return near(mapped(part.folder), few, new, part)


def near(seen: np.ndarray, few: np.ndarray, new: np.ndarray, part: JoinPart) -> PicturePairs:
    """Pairs of pictures, one of them new: a whole of one and some window of the other are within the bits.

    seen: (n,) ENTRY. few, new: (pictures,): which are joined, and which no earlier join has seen.
    """
    owner, kind = seen["owner"].astype(np.int64), seen["kind"]
    used = few[owner] if part.flips else few[owner] & (WAYS[kind] == BITS[STRAIGHT])
    a, b, distance = _window_pairs(seen, used, new[owner], part)
    apart = np.bitwise_count(seen["fine"][a] ^ seen["fine"][b]).sum(axis=1)
    alike = (owner[a] != owner[b]) & (apart <= FAR)
    a, b, distance = a[alike], b[alike], distance[alike]
    way = np.where(owner[b] > owner[a], WAYS[kind[b]], BACK[kind[b]])
    low, high = np.minimum(owner[a], owner[b]), np.maximum(owner[a], owner[b])
    return merged([PicturePairs(low, high, distance, way)])


def _window_pairs(seen: np.ndarray, used: np.ndarray, fresh: np.ndarray, part: JoinPart) -> pairs.Pairs:
    """Rows of `seen`, used ones alone: a whole and a window within its bits, one of them fresh.

    used, fresh: (n,).
    """
    code, is_whole = np.ascontiguousarray(seen["code"]), seen["kind"] < len(windows.WHOLES)
    is_turned = TURNED[seen["kind"]]
    wholes, lying = np.flatnonzero(used & is_whole), np.flatnonzero(used & ~is_whole & ~is_turned)
    within = hamming.pairs_within(code[wholes], part.bits, fresh[wholes], part.share)
    chunks = [pairs.Pairs(wholes[within.i], wholes[within.j], within.distance)]
    turned = np.flatnonzero(used & is_turned)
    for others, bits in ((lying, part.bits), (turned, min(part.bits, TURNED_BITS))):
        fresh_others, known_others = others[fresh[others]], others[~fresh[others]]
        for index, asking in ((wholes, fresh_others), (wholes[fresh[wholes]], known_others)):
            across = hamming.cross_within(code[index], code[asking], bits, part.share)
            chunks.append(pairs.Pairs(index[across.i], asking[across.j], across.distance))
    return pairs.concatenated(chunks)


def merged(several: list[PicturePairs]) -> PicturePairs:
    """Each pair once, with its least distance, by turns only where it met by them alone, and all its ways.

    Sorted.
    """
    i, j, distance, way = (np.concatenate(column) for column in zip(*several, strict=True))
    pair, of = np.unique(i << 32 | j, return_inverse=True)
    nearest, ways = np.full(len(pair), UNMET, np.uint8), np.zeros(len(pair), np.uint16)
    lies = way & LYING > 0
    np.minimum.at(nearest, of[lies], distance[lies])
    alone = nearest[of] == UNMET
    np.minimum.at(nearest, of[alone], distance[alone])
    np.bitwise_or.at(ways, of, way)
    return PicturePairs(pair >> 32, pair & 0xFFFFFFFF, nearest, ways)


def crowds(seen: np.ndarray, count: int) -> tuple[np.ndarray, PicturePairs]:
    """Which pictures are joined, (count,), and stars of those that aren't.

    Where more than CROWD share the code of a whole, those beyond are a star around the first of them.
    """
    few, stars = np.ones(count, np.bool_), [_NONE]
    for kind in range(len(windows.WHOLES)):
        some = seen[seen["kind"] == kind]
        some = some[few[some["owner"]]]
        owner, groups = some["owner"].astype(np.int64), pairs.grouped(np.ascontiguousarray(some["code"]))
        beyond = np.flatnonzero(_ranks(groups) >= CROWD)
        few[owner[beyond]] = False
        stars.append(_star(owner[groups.first[groups.of[beyond]]], owner[beyond], BITS[STRAIGHT]))
    return few, merged(stars)


def _ranks(groups: pairs.Groups) -> np.ndarray:
    """(n,): how many of its group stand before each place; owners ascend, and so within their group."""
    order = np.argsort(groups.of, kind="stable")
    starts = np.searchsorted(groups.of[order], np.arange(len(groups.codes)))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - starts[groups.of[order]]
    return rank


def _star(center: np.ndarray, others: np.ndarray, way: int) -> PicturePairs:
    """Each of the others, (n,), with its center, (n,)."""
    return PicturePairs(
        np.minimum(center, others),
        np.maximum(center, others),
        np.zeros(len(others), np.uint8),
        np.full(len(others), way, np.uint16),
    )


_NONE = _star(np.empty(0, np.int64), np.empty(0, np.int64), BITS[STRAIGHT])


def _joined(part: JoinPart, engine: Engine) -> list[PicturePairs]:
    """The pairs of all windows: joined here where they are few, else by the workers, a share each."""
    if len(mapped(part.folder)) <= ALONE:
        return [join_part(part, Watch())]
    shares = [replace(part, share=(k, engine.workers)) for k in range(engine.workers)]
    return [met for _, met in engine.map(join_part, shares, limits=Limits(0, 0))]


def spread(views: catalog.Catalog, folder: Path) -> tuple[np.ndarray, int]:
    """Write the windows of all readable pictures to a file, by key.

    The wholes among them, without their fine codes; and how many pictures have no window: they are too flat
    to be told apart.
    """
    start = lone = 0
    wholes = [np.empty(0, ENTRY)[COARSE]]
    with (folder / "windows").open("wb") as file:
        for batch in views.batches("SELECT windows FROM _seen WHERE error IS NULL ORDER BY key", BATCH):
            codes = batch.column("windows").to_pylist()
            counts = [len(of_one) // windows.CODE.itemsize for of_one in codes]
            owner = np.repeat(np.arange(start, start + len(codes)), counts)
            some = entries(np.frombuffer(b"".join(codes), windows.CODE), owner)
            file.write(some.tobytes())
            wholes.append(repack_fields(some[some["kind"] < len(windows.WHOLES)][COARSE]))
            start, lone = start + len(codes), lone + counts.count(0)
    return np.concatenate(wholes), lone


def entries(codes: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """(n,) ENTRY of windows.CODE and the places of their pictures, (n,)."""
    rows = np.empty(len(codes), ENTRY)
    rows["owner"] = owner
    for name in windows.CODE.names or ():
        rows[name] = codes[name]
    return rows


def mapped(folder: Path) -> np.ndarray:
    """(n,) ENTRY: the windows that `spread` has written there."""
    path = folder / "windows"
    return np.memmap(path, ENTRY, mode="r") if path.stat().st_size else np.empty(0, ENTRY)


def _same_pixels(pictures: pa.Table) -> PicturePairs:
    """Each group of equal pixels as a star around its first picture: all are as good as each other."""
    pixels = pictures.column("pixels").to_numpy(zero_copy_only=False).astype("S16")
    _, first, group = np.unique(pixels, return_index=True, return_inverse=True)
    others = np.flatnonzero(first[group] != np.arange(len(group)))
    return _star(first[group][others].astype(np.int64), others, EQUAL)


def _edges(keys: np.ndarray, met: PicturePairs, new: np.ndarray) -> pa.Table:
    """The pairs with a new picture as rows: `relation` is `exact` where the pixels are equal, else null.

    Null takes a look. `mirrored` and `turned`: as `met_in` has them.
    """
    i, j, distance, way = (column[new[met.i] | new[met.j]] for column in met)
    mirrored, turned = met_in(way)
    columns = {
        "a": keys[i],
        "b": keys[j],
        "distance": distance.astype(np.int32),
        "mirrored": mirrored,
        "turned": turned,
        "relation": np.array([None, "exact"])[(way & EQUAL > 0).astype(int)],
    }
    arrays = {name: pa.array(values, schemas.EDGES.field(name).type) for name, values in columns.items()}
    return pa.table(arrays, schema=schemas.EDGES)


def met_in(way: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) each: how the two of a pair met but for turns, and by which turns, as a bit set of `ways.TURNS`.

    As they are (`no`), one of them mirrored (`yes`), in both ways (`both`), or in `neither`.
    """
    both = BITS[STRAIGHT] | BITS[MIRRORED]
    tests = [way & both == both, way & BITS[MIRRORED] > 0, way & (EQUAL | BITS[STRAIGHT]) > 0]
    return np.select(tests, ["both", "yes", "no"], "neither"), (way // FIRST_TURN).astype(np.uint8)
