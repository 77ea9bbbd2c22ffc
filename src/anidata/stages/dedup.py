"""Dedup: find the pictures that are copies of each other, keep the best of each cluster, and say what each other one is to it.

Edges join all readable pictures whatever clean thinks of them; they are cached and only added to. A cheap pass then decides among
what survives clean, so that a changed threshold never buries the wrong twin.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anidata import catalog, hashing, image, neighbors, recipe, relation
from anidata.engine import Engine
from anidata.recipe import Count
from anidata.stages import _joining, _verifying, ingest
from anidata.stages._reading import Reader
from anidata.workspace import Workspace

VERSION = 1
LOSSLESS = ("png", "bmp", "tiff")
ENLARGED = 1.15  # times its scale that an enlargement is softer, at least; copies at half size are never crisper by as much

Row = dict[str, Any]


@dataclass(frozen=True)
class Config:
    """Group near-duplicates and keep the best of each group."""

    max_distance: Count = 6  # bits of 64 in which two phashes may differ
    flips: bool = True  # match mirror images too
    drop: tuple[str, ...] = ("exact", "reencoded", "flip", "crop")  # relations that are dropped; others are kept, in one split


def run(workspace: Workspace, config: Config, reading: ingest.Config, engine: Engine) -> Counter[str]:
    """Join what is new with everything, look at the candidates, then decide; nothing where nothing has changed.

    `reading`: the limits under which pictures were opened hold again.
    """
    if is_current(workspace, config):
        return Counter()
    counts = _joining.join(workspace, config.max_distance, flips=config.flips)
    counts += _verify(workspace, reading, engine)
    counts["decided"] = _decide(workspace, config, _pictures(workspace))
    return counts


def decide_again(workspace: Workspace) -> None:
    """After another stage's decision: choose keepers anew, by the settings of the last time, if there was one."""
    made = catalog.made_from(_path(workspace))
    if made:
        _decide(workspace, recipe.build(Config, made["settings"], "the last dedup"), made["joined"])


def is_current(workspace: Workspace, config: Config) -> bool:
    """Whether the decisions are of today, all pictures are joined, and no pair waits for a look."""
    made = catalog.made_from(_path(workspace))
    return bool(made) and made["state"] == state(workspace, config) and made["joined"] == _pictures(workspace) and not made["waiting"]


def state(workspace: Workspace, config: Config) -> str:
    """Changes with anything that the decisions depend on."""
    folder = workspace.folder
    clean = folder("decisions") / "clean.parquet"
    seen = catalog.state_of(folder("images"), folder("records"), folder("edges"), folder("relations"), clean)
    return recipe.fingerprint(VERSION, _joining.VERSION, *_eye(), hashing.VERSION, config, seen)


def _pictures(workspace: Workspace) -> str:
    """Changes with the pictures that there are to join."""
    return catalog.state_of(workspace.folder("images"), workspace.folder("records"))


def _eye() -> list[int]:
    """What a verdict on a pair depends on, besides the two pictures."""
    return [image.VERSION, relation.VERSION]


def _verify(workspace: Workspace, reading: ingest.Config, engine: Engine) -> Counter[str]:
    """Have a verdict on each candidate pair; verdicts of another version of the eye are given anew."""
    for path in catalog.files(workspace.folder("relations")):
        if catalog.made_from(path).get("version") != _eye():
            path.unlink()
    with catalog.Catalog(workspace) as views:
        todo = _verifying.plan(views, Reader(workspace, reading.max_bytes, reading.max_pixels))
    counts: Counter[str] = Counter()
    if todo:
        total = sum(len(part.places) for part in todo)
        for _, found in engine.map(_verifying.verify_part, todo, limits=ingest.limits(reading), label="dedup", total=total):
            counts += found
    return counts


def _decide(workspace: Workspace, config: Config, joined: str) -> int:
    """joined: the pictures that were joined when last it was done."""
    # a pair without a verdict yet is kept, and in one split
    found = "SELECT a, b, distance, coalesce(relation, 'variant') AS relation FROM _links WHERE relation IS DISTINCT FROM 'unrelated'"
    with catalog.Catalog(workspace) as views:
        links = views.select(found)
        pictures = views.select(
            "SELECT key, width::BIGINT * height AS area, sharpness, format, bytes, pixels, len(coalesce(reasons, [])) AS broken "
            "FROM _seen JOIN _linked USING (key) LEFT JOIN _clean USING (key) WHERE error IS NULL ORDER BY key",
            _linked=catalog.keys_of(links, "a", "b"),
        )
        everyone = views.select("SELECT key FROM _seen WHERE error IS NULL ORDER BY key").column("key")
        waiting = views.select("SELECT count(*) AS n FROM _links WHERE relation IS NULL").column("n")[0].as_py()
    among = catalog.table(decide(pictures.to_pylist(), links.to_pylist(), config.drop), catalog.DEDUP)
    decided = pa.concat_tables([among, _single(everyone.filter(pc.invert(pc.is_in(everyone, among.column("key")))))]).sort_by("key")
    made = {"state": state(workspace, config), "settings": recipe.document_of(config), "joined": joined, "waiting": waiting}
    catalog.write(_path(workspace), decided, made)
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
    blown_up = {m["key"] for m in members if any(is_enlarged(m, n) for n in members if n["key"] in linked[m["key"]])}
    for member in sorted(members, key=lambda m: (m["broken"] > 0, m["key"] in blown_up, worth(m))):
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


def is_enlarged(picture: Row, other: Row) -> bool:
    """Whether a picture is larger than its copy and yet shows less: softer by more than its scale."""
    scale = (picture["area"] / other["area"]) ** 0.5
    return bool(scale > 1 and picture["sharpness"] * scale * ENLARGED < other["sharpness"])


def worth(picture: Row) -> tuple[int, bool, int, str]:
    """The larger first, then the lossless, the one with more bytes, and the smaller key."""
    return (-picture["area"], picture["format"] not in LOSSLESS, -picture["bytes"], picture["key"])


def _single(keys: pa.ChunkedArray) -> pa.Table:
    """The rows of pictures that have no link."""
    keys, count = keys.combine_chunks(), len(keys)
    relation, distance = pa.repeat(pa.scalar("single"), count), pa.nulls(count, pa.int32())
    reasons = pa.ListArray.from_arrays(np.zeros(count + 1, np.int32), pa.array([], pa.string()))
    return pa.table([keys, keys, keys, relation, distance, reasons], schema=catalog.DEDUP)


def _row(cluster: str, key: str, keeper: str, relation: str, distance: int | None = None) -> Row:
    return {"key": key, "cluster": cluster, "keeper": keeper, "relation": relation, "distance": distance, "reasons": []}


def _path(workspace: Workspace) -> Path:
    return workspace.folder("decisions") / "dedup.parquet"
