"""Tools over piles of originals with a copy each: which pairs they link, and which of two originals.

A result lies as CSV (file, cluster) in FOLDER/TOOL/PILE.csv; where it does, nothing is run again.
"""

import itertools
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import imagehash
import numpy as np
from PIL import Image

import peers
from anidata.engine.engine import Engine
from bench import took
from copies import running, scoring
from copies.making import Copy
from copies.transform import on_white
from placing import keypoints

PHASH_BITS = 10  # of 64, as compare_copies has it
PEERS = ("imagededup", "perception")  # in environments of their own
OWN = "keypoints (ORB + RANSAC, ours)"
TOOLS = ("anidata", "ImageHash", *PEERS, OWN)
Row = dict[str, str]
Pairs = Iterable[tuple[str, str]]


class Outcome(NamedTuple):
    """What a tool made of one pair."""

    copy: Copy
    linked: bool  # in one cluster with its original
    relation: str  # anidata's: `through others`, `apart`


def lay(made: Mapping[str, Sequence[Copy]], home: Path, folder: Path) -> dict[str, Path]:
    """Pile → a folder of hard links to its files."""
    return {pile: running.pile(folder / pile, home, copies) for pile, copies in made.items()}


def run(
    tool: str, laid: Mapping[str, Path], folder: Path, engine: Engine, settings: Sequence[str] = ()
) -> dict[str, list[Row]]:
    """Pile → rows of file and cluster; settings: of anidata, as after --set."""
    here = folder / tool.split(" ", 1)[0]
    here.mkdir(parents=True, exist_ok=True)
    results = {pile: here / f"{pile}.csv" for pile in laid}
    missing = [pile for pile, result in results.items() if not result.exists()]
    if tool in PEERS and missing:
        _peer(tool, {pile: laid[pile] for pile in missing}, here)
    for pile in missing:
        if tool == "anidata":
            running.anidata(results[pile], [laid[pile]], engine, settings)
        elif tool not in PEERS:
            running.write(results[pile], clustered(laid[pile], OWN_TOOLS[tool]))
    return {pile: running.read(result) for pile, result in results.items()}


def _peer(tool: str, laid: Mapping[str, Path], folder: Path) -> None:
    """Run another tool's Python once over all piles."""
    begun = {pile: folder / f"{pile}.begun" for pile in laid}
    words = itertools.chain.from_iterable((str(laid[pile]), str(begun[pile])) for pile in laid)
    took([peers.python(tool), str(running.PEERS), tool, *words])
    for pile, path in begun.items():
        path.replace(folder / f"{pile}.csv")


def clustered(folder: Path, find: Callable[[Sequence[Path]], Pairs]) -> list[Row]:
    """File and cluster: the connected components of the pairs that are found among a folder's files."""
    paths = sorted(folder.iterdir())
    cluster = {path.name: path.name for path in paths}
    for a, b in find(paths):
        low, high = sorted((cluster[a], cluster[b]))
        cluster = {file: low if name == high else name for file, name in cluster.items()}
    return [{"file": file, "cluster": name} for file, name in cluster.items()]


def phash_pairs(paths: Sequence[Path]) -> Pairs:
    """The pairs whose ImageHash phashes are within PHASH_BITS."""
    bits = np.array([imagehash.phash(_opened(path)).hash.ravel() for path in paths])
    near = (bits[:, None] != bits[None]).sum(2) <= PHASH_BITS
    return ((paths[i].name, paths[j].name) for i, j in np.argwhere(np.triu(near, 1)))


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as file:
        return on_white(file)


OWN_TOOLS = {"ImageHash": phash_pairs, OWN: keypoints.pairs}


# --- counting -----------------------------------------------------------------------------------------------


def outcomes(copies: Sequence[Copy], rows: Iterable[Row]) -> list[Outcome]:
    """What became of each pair; copies: each original followed by its copy."""
    of = {row["file"].rsplit("/", 1)[-1]: row for row in rows}
    return [_outcome(copy, of.get(first.file, {}), of.get(copy.file, {})) for first, copy in _twos(copies)]


def _twos(copies: Sequence[Copy]) -> Iterable[tuple[Copy, Copy]]:
    return zip(copies[::2], copies[1::2], strict=True)


def _outcome(copy: Copy, first: Row, ours: Row) -> Outcome:
    linked = bool(ours.get("cluster")) and ours["cluster"] == first.get("cluster")
    relation, _ = scoring.relation_of(ours, first, linked)
    return Outcome(copy, linked, relation)


def wrong(copies: Sequence[Copy], rows: Iterable[Row]) -> list[tuple[str, str]]:
    """Pairs of originals that stand in one cluster, themselves or by a copy, but for those of one drawing."""
    source = {copy.file: copy.source for copy in copies}
    members: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        file = row["file"].rsplit("/", 1)[-1]
        if row["cluster"] and file in source:
            members[row["cluster"]].add(source[file])
    pairs = {pair for names in members.values() for pair in itertools.combinations(sorted(names), 2)}
    return sorted(pair for pair in pairs if frozenset(pair) not in scoring.one_drawing())


def forget(laid: Mapping[str, Path]) -> None:
    """Remove the piles; what they link to stays."""
    for folder in laid.values():
        shutil.rmtree(folder, ignore_errors=True)
