"""Joining: every pair of pictures of which one looks like the other, or a window of it, or has equal pixels.

Each join adds the pairs of what is new to those there are, and finds what one join of everything would.
The windows go to a file that the engine's workers map: each takes a share of the join. A worker holds the
64-bit codes, the main process the wholes' alone.
"""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.lib.recfunctions import repack_fields

from anidata import ownership
from anidata.catalog import catalog, schemas, tables
from anidata.duplicates import pairs, phash, windows
from anidata.duplicates.window_join import (
    BITS,
    CROWD,
    ENTRY,
    EQUAL,
    FAR,
    TURNED_BITS,
    PicturePairs,
    crowds,
    entries,
    merged,
    met_in,
    near,
    star,
)
from anidata.engine.engine import Engine, Limits, Watch
from anidata.imaging import decode
from anidata.stages.dedup import joins
from anidata.stages.dedup.state import JOIN_VERSION
from anidata.workspace import Workspace

__all__ = ["BITS", "CROWD", "ENTRY", "EQUAL", "FAR", "TURNED_BITS", "JoinPart", "PicturePairs", "crowds"]
__all__ += ["entries", "join", "join_part", "mapped", "merged", "met_in", "near", "spread", "star"]

ALONE = 1 << 18  # windows up to which this process joins by itself: beyond, workers are worth starting
BATCH = 1 << 14  # pictures asked for at once
COARSE = ["owner", "kind", "code"]


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
            joins.begin_anew(
                folder
            )  # who stands for a crowd depends on all of it; relations of pairs are kept
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


def mapped(folder: Path) -> np.ndarray:
    """(n,) ENTRY: the windows that `spread` has written there."""
    path = folder / "windows"
    return np.memmap(path, ENTRY, mode="r") if path.stat().st_size else np.empty(0, ENTRY)


def _same_pixels(pictures: pa.Table) -> PicturePairs:
    """Each group of equal pixels as a star around its first picture: all are as good as each other."""
    pixels = pictures.column("pixels").to_numpy(zero_copy_only=False).astype("S16")
    _, first, group = np.unique(pixels, return_index=True, return_inverse=True)
    others = np.flatnonzero(first[group] != np.arange(len(group)))
    return star(first[group][others].astype(np.int64), others, EQUAL)


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
