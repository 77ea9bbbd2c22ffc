"""Dedup: find the pictures that are copies of each other, keep the best of each cluster, and say what each other one is to it.

Edges join all readable pictures whatever clean thinks of them; they are cached and only added to. A cheap pass then decides among
what survives clean, so that a changed threshold never buries the wrong twin.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from anidata import catalog, hashing, image, neighbors, recipe, storage
from anidata.recipe import Count
from anidata.workspace import Workspace

VERSION = 1
LOSSLESS = ("png", "bmp", "tiff")
CROWD = 32  # pictures of one and the same phash that are compared each with each; of more, the rest with the first alone

Row = dict[str, Any]


@dataclass(frozen=True)
class Config:
    """Group near-duplicates and keep the best of each group."""

    max_distance: Count = 6  # bits of 64 in which two phashes may differ
    flips: bool = True  # match mirror images too
    max_tint: Count = 14  # of 255, in a or b of L*a*b*, in one of 16 cells: beyond it, the same drawing in other colors
    drop: tuple[str, ...] = ("exact", "reencoded", "flip", "crop")  # relations that are dropped; others are kept, in one split


def run(workspace: Workspace, config: Config) -> Counter[str]:
    """Join what is new with everything, then decide; nothing where nothing has changed."""
    counts = join(workspace, config)
    if not is_current(workspace, config):
        counts["decided"] = _decide(workspace, config)
    return counts


def decide_again(workspace: Workspace) -> None:
    """After another stage's decision: choose keepers anew, by the settings of the last time, if there was one."""
    settings = catalog.made_from(_path(workspace)).get("settings")
    if settings is not None:
        _decide(workspace, recipe.build(Config, settings, "the last dedup"))


def is_current(workspace: Workspace, config: Config) -> bool:
    return catalog.made_from(_path(workspace)).get("state") == state(workspace, config)


def state(workspace: Workspace, config: Config) -> str:
    """Changes with anything that the decisions depend on."""
    folder = workspace.folder
    clean = folder("decisions") / "clean.parquet"
    return recipe.fingerprint(VERSION, config, catalog.state_of(folder("images"), folder("records"), folder("edges"), clean))


# --- edges ---------------------------------------------------------------------------------------------------------------------------


def join(workspace: Workspace, config: Config) -> Counter[str]:
    """Add the edges between pictures that no earlier join has seen and all others."""
    folder = workspace.folder("edges")
    settings: dict[str, Any] = {"bits": config.max_distance, "flips": config.flips, "tint": config.max_tint}
    settings["versions"] = [VERSION, image.VERSION, hashing.VERSION]
    if any(catalog.made_from(p).get("settings") != settings for p in catalog.files(folder)):
        for path in [*catalog.files(folder), *folder.glob("*.keys.npy")]:
            path.unlink()
    with catalog.Catalog(workspace) as views:
        columns = "key, phash, phash_flip, colors, pixels, degenerate"
        pictures = views.select(f"SELECT {columns} FROM _pictures WHERE error IS NULL ORDER BY key")
    keys = pictures.column("key").to_numpy(zero_copy_only=False).astype("S24")
    new = ~np.isin(keys, _seen(folder))
    if not new.any():
        return Counter()
    found = edges(pictures, new, config)
    number = len(catalog.files(folder))
    with storage.publishing(folder / f"{number:05d}.keys.npy") as file:
        np.save(file, keys[new], allow_pickle=False)
    catalog.write(folder / f"{number:05d}.parquet", found, {"settings": settings})
    return Counter(joined=int(new.sum()), edges=found.num_rows)


def edges(pictures: pa.Table, new: np.ndarray, config: Config) -> pa.Table:
    """Every pair with a new picture in it whose codes are near, or whose pixels are equal, each once, with its relation."""
    codes, flipped = (pictures.column(n).to_numpy() for n in ("phash", "phash_flip"))
    sound = np.flatnonzero(~pictures.column("degenerate").to_numpy(zero_copy_only=False))
    few, crowd = _crowds(codes[sound])
    few, crowd = sound[few], _Pairs(sound[crowd.i], sound[crowd.j], crowd.distance)
    i, j, distance = neighbors.pairs_within(codes[few], config.max_distance, new[few])
    near = _new_ones(_Pairs(*(np.concatenate(p) for p in zip((few[i], few[j], distance), crowd, strict=True))), new)
    same = _new_ones(_same_pixels(pictures), new)
    found = [(same, np.full(len(same.i), "exact")), (near, _relations(pictures, near, config.max_tint))]
    if config.flips:
        i, j, distance = neighbors.cross_within(codes[few], flipped[few], config.max_distance)
        mirrored = _new_ones(_Pairs(few[i][i < j], few[j][i < j], distance[i < j]), new)
        found.append((mirrored, np.full(len(mirrored.i), "flip")))
    return _first_of_each(pictures.column("key").to_numpy(zero_copy_only=False), found)


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


class _Pairs(NamedTuple):
    """Places of two pictures in the table, i < j, and the bits between their codes."""

    i: np.ndarray  # int64 (n,)
    j: np.ndarray  # int64 (n,)
    distance: np.ndarray  # uint8 (n,)


def _relations(pictures: pa.Table, pairs: _Pairs, max_tint: int) -> np.ndarray:
    """`recolor` where a cell's a or b differs by more than the tint allowed, `reencoded` elsewhere."""
    colors = np.frombuffer(b"".join(pictures.column("colors").to_pylist()), np.uint8).reshape(-1, 16, 3)[:, :, 1:].astype(np.int16)
    tint = np.abs(colors[pairs.i] - colors[pairs.j]).max(axis=(1, 2)) if len(pairs.i) else np.empty(0, np.int16)
    return np.where(tint > max_tint, "recolor", "reencoded")


def _same_pixels(pictures: pa.Table) -> _Pairs:
    """Each group of equal pixels as a star around its first picture: all are as good as each other."""
    _, first, group = np.unique(
        pictures.column("pixels").to_numpy(zero_copy_only=False).astype("S16"), return_index=True, return_inverse=True
    )
    place = np.arange(len(group))
    rest = np.flatnonzero(first[group] != place)
    return _Pairs(first[group][rest], rest, np.zeros(len(rest), np.uint8))


def _first_of_each(keys: np.ndarray, found: list[tuple[_Pairs, np.ndarray]]) -> pa.Table:
    """One edge a pair: the first relation found for it, in the order given."""
    i, j, distance = (np.concatenate([getattr(p, n) for p, _ in found]) for n in ("i", "j", "distance"))
    relation = np.concatenate([r.astype(object) for _, r in found])
    _, first = np.unique(i.astype(np.int64) * len(keys) + j, return_index=True)
    columns = {"a": keys[i[first]], "b": keys[j[first]], "distance": distance[first], "relation": relation[first]}
    return pa.table({n: pa.array(v, catalog.EDGES.field(n).type) for n, v in columns.items()}, schema=catalog.EDGES)


def _seen(folder: Path) -> np.ndarray:
    found = [np.load(p.with_suffix(".keys.npy"), allow_pickle=False) for p in catalog.files(folder)]
    return np.concatenate(found) if found else np.empty(0, "S24")


# --- decisions -----------------------------------------------------------------------------------------------------------------------


def _decide(workspace: Workspace, config: Config) -> int:
    with catalog.Catalog(workspace) as views:
        pictures = views.select(
            "SELECT key, width::BIGINT * height AS area, format, bytes, pixels, len(coalesce(reasons, [])) AS broken "
            "FROM _pictures LEFT JOIN _clean USING (key) WHERE error IS NULL ORDER BY key"
        ).to_pylist()
        links = views.select(
            "SELECT a, b, distance, relation FROM _edges WHERE a IN (SELECT key FROM _pictures) AND b IN (SELECT key FROM _pictures)"
        )
    decided = catalog.table(decide(pictures, links.to_pylist(), config.drop), catalog.DEDUP)
    catalog.write(_path(workspace), decided, {"state": state(workspace, config), "settings": recipe.document_of(config)})
    return int(decided.num_rows)


def decide(pictures: list[Row], links: list[Row], drop: Iterable[str]) -> list[Row]:
    """A row for each picture, by key: its cluster, keeper, relation, distance and, where it is dropped, the reason."""
    place = {p["key"]: n for n, p in enumerate(pictures)}
    a, b = (np.array([place[link[side]] for link in links], np.int64) for side in ("a", "b"))
    label = neighbors.components(len(pictures), a, b)
    linked: dict[str, dict[str, Row]] = defaultdict(dict)
    for link in links:
        linked[link["a"]][link["b"]] = linked[link["b"]][link["a"]] = link
    clusters: dict[int, list[Row]] = defaultdict(list)
    for picture, root in zip(pictures, label.tolist(), strict=True):
        clusters[root].append(picture)
    rows = [row for members in clusters.values() for row in _decide_cluster(members, linked, frozenset(drop))]
    return sorted(rows, key=lambda row: row["key"])


def _decide_cluster(members: list[Row], linked: dict[str, dict[str, Row]], drop: frozenset[str]) -> list[Row]:
    """Best first: a member is dropped for a keeper that it is itself a copy of, never through a chain; else it is kept."""
    cluster = min(m["key"] for m in members)
    if len(members) == 1:
        return [_row(cluster, cluster, cluster, "single")]
    keepers: list[str] = []
    twins: dict[bytes, str] = {}  # pixels → keeper; equal pixels are linked as a star alone, and are near whatever its center
    rows = []
    for member in sorted(members, key=worth):
        if "exact" in drop and member["pixels"] in twins:
            rows.append(_row(cluster, member["key"], twins[member["pixels"]], "exact", 0) | {"reasons": ["duplicate"]})
            continue
        near = [(k, linked[member["key"]][k]) for k in keepers if k in linked[member["key"]]]
        copied = [(k, link) for k, link in near if link["relation"] in drop]
        if copied:
            keeper, link = copied[0]
            rows.append(_row(cluster, member["key"], keeper, link["relation"], link["distance"]) | {"reasons": ["duplicate"]})
            continue
        keepers.append(member["key"])
        twins.setdefault(member["pixels"], member["key"])
        if near:
            rows.append(_row(cluster, member["key"], near[0][0], near[0][1]["relation"], near[0][1]["distance"]))
        else:
            rows.append(_row(cluster, member["key"], member["key"], "keeper"))
    return rows


def worth(picture: Row) -> tuple[bool, int, bool, int, str]:
    """What survives clean first, then the larger, the lossless, the one with more bytes, and the smaller key."""
    return (picture["broken"] > 0, -picture["area"], picture["format"] not in LOSSLESS, -picture["bytes"], picture["key"])


def _row(cluster: str, key: str, keeper: str, relation: str, distance: int | None = None) -> Row:
    return {"key": key, "cluster": cluster, "keeper": keeper, "relation": relation, "distance": distance, "reasons": []}


def _path(workspace: Workspace) -> Path:
    return workspace.folder("decisions") / "dedup.parquet"
