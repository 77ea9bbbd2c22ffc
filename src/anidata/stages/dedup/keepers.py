"""Keepers: of a cluster of pictures the best is kept, and what is a copy of it is dropped; by verdicts on no more pairs than that takes.

Best first, each picture is held against the keepers so far. It is dropped for a keeper that it is itself a copy of, never through a
chain; else it is kept too. So of a crowd of copies only the pairs with their keeper need a verdict. The decision is that which
verdicts on all pairs would give: a pair is asked about where the answer matters, and the decision waits for it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from anidata.duplicates import pairs

LOSSLESS = ("png", "bmp", "tiff")
SAME_SIZE = (
    0.85  # of the area within plain borders, which ringing moves: pictures as large as that are of one size
)
FRAMED = ("exact", "reencoded", "flip")  # relations of pictures that show the same
ENLARGED = 1.15  # times its scale that an enlargement is softer, at least; copies at half size are never crisper by as much

Row = dict[str, Any]
Pair = tuple[str, str]  # keys, ascending


class Cluster(NamedTuple):
    """Pictures that candidate pairs connect."""

    members: list[Row]
    links: dict[
        str, dict[str, Row]
    ]  # key → other key → link, both ways; a link whose relation is None has no verdict yet


class Decision(NamedTuple):
    rows: list[Row]  # by key: cluster, keeper, relation, distance and, where it is dropped, the reason
    wanted: set[
        Pair
    ]  # without verdicts on these the rows are provisional: what may be a copy is kept, and in one cluster


def clusters(pictures: Sequence[Row], links: Iterable[Row]) -> Iterator[Cluster]:
    """What candidate pairs connect, one after the other."""
    place = {picture["key"]: n for n, picture in enumerate(pictures)}
    both: dict[str, dict[str, Row]] = defaultdict(dict)
    ends = []
    for link in links:
        both[link["a"]][link["b"]] = both[link["b"]][link["a"]] = link
        ends.append((place[link["a"]], place[link["b"]]))
    i, j = np.array(ends, np.int64).reshape(-1, 2).T
    gathered: dict[int, list[Row]] = defaultdict(list)
    for picture, root in zip(pictures, pairs.components(len(pictures), i, j).tolist(), strict=True):
        gathered[root].append(picture)
    for members in gathered.values():
        yield Cluster(members, {member["key"]: both[member["key"]] for member in members})


def decide(cluster: Cluster, drop: frozenset[str], *, eager: bool = False) -> Decision:
    """Who is kept of a cluster, and for whom each other one is dropped.

    eager: where a verdict is wanted, those are too on all pairs of pictures not dropped, which saves rounds.
    """
    choice = _Choice(cluster.links, drop)
    size = tiers([member["area"] for member in cluster.members])
    for broken in (False, True):
        some = [member for member in cluster.members if (member["broken"] > 0) == broken]
        enlarged = [
            m
            for m in sorted(some, key=lambda m: (size[m["area"]], worth(m)))
            if not choice.place(m, cluster.members)
        ]
        for member in enlarged:
            choice.place(member)
    label = _labels(cluster, settled=not choice.wanted)
    if not choice.wanted:
        choice.wanted |= {
            _pair(a, b) for a, b, link in _links(cluster) if link["relation"] is None and label[a] != label[b]
        }
        if choice.wanted:
            label = _labels(cluster, settled=False)
    elif eager:
        open_ = {row["key"] for row in choice.rows if not row["reasons"]}
        choice.wanted |= {
            _pair(a, b) for a, b, link in _links(cluster) if link["relation"] is None and {a, b} <= open_
        }
    sizes = Counter(label.values())
    rows = [
        row
        | {"cluster": label[row["key"]]}
        | ({"relation": "single"} if sizes[label[row["key"]]] == 1 else {})
        for row in choice.rows
    ]
    return Decision(sorted(rows, key=lambda row: str(row["key"])), choice.wanted)


class _Choice:
    """The keepers so far."""

    def __init__(self, links: dict[str, dict[str, Row]], drop: frozenset[str]) -> None:
        self._links, self._drop = links, drop
        self._keepers: list[str] = []
        self._twins: dict[
            bytes, str
        ] = {}  # pixels → keeper; equal pixels are linked as a star alone, and are near whatever its center
        self.rows: list[Row] = []
        self.wanted: set[Pair] = set()

    def place(self, member: Row, rivals: Sequence[Row] = ()) -> bool:
        """Drop or keep one picture; False where it is an enlargement of a rival, and has to wait for all others."""
        key, near = member["key"], self._links[member["key"]]
        if "exact" in self._drop and member["pixels"] in self._twins:
            self._add(key, self._twins[member["pixels"]], "exact", 0, dropped=True)
            return True
        related = None
        for keeper in (k for k in self._keepers if k in near):
            relation = near[keeper]["relation"]
            if relation is None or relation in self._drop:
                self._settle(key, keeper, near[keeper])
                return True
            if relation != "unrelated" and related is None:
                related = keeper
        if any(
            is_enlarged(member, rival) and self._shows_the_same(key, rival["key"])
            for rival in rivals
            if rival["key"] in near
        ):
            return False
        self._keepers.append(key)
        self._twins.setdefault(member["pixels"], key)
        if related is None:
            self._add(key, key, "keeper")
        else:
            self._add(key, related, near[related]["relation"], near[related]["distance"])
        return True

    def _settle(self, key: str, keeper: str, link: Row) -> None:
        if link["relation"] is None:
            self.wanted.add(_pair(key, keeper))
        self._add(
            key, keeper, link["relation"] or "variant", link["distance"], dropped=link["relation"] is not None
        )

    def _shows_the_same(self, key: str, other: str) -> bool:
        relation = self._links[key][other]["relation"]
        if relation is None:
            self.wanted.add(_pair(key, other))
        return relation in FRAMED

    def _add(
        self, key: str, keeper: str, relation: str, distance: int | None = None, *, dropped: bool = False
    ) -> None:
        reasons = ["duplicate"] if dropped else []
        self.rows.append(
            {
                "key": key,
                "cluster": key,
                "keeper": keeper,
                "relation": relation,
                "distance": distance,
                "reasons": reasons,
            }
        )


def is_enlarged(picture: Row, other: Row) -> bool:
    """Whether a picture is larger than its copy and yet shows less: softer by more than its scale."""
    scale = (picture["frame"] / other["frame"]) ** 0.5
    return bool(scale > 1 and picture["sharpness"] * scale * ENLARGED < other["sharpness"])


def tiers(areas: Iterable[float]) -> dict[float, int]:
    """Area → its rank, the largest first; those that hardly differ are of one."""
    found: dict[float, int] = {}
    top, rank = 0.0, -1
    for area in sorted(set(areas), reverse=True):
        if rank < 0 or area < top * SAME_SIZE:
            top, rank = area, rank + 1
        found[area] = rank
    return found


def worth(picture: Row) -> tuple[bool, int, str]:
    """Of pictures of one size: the lossless first, then the one with more bytes, and the smaller key."""
    return (picture["format"] not in LOSSLESS, -picture["bytes"], picture["key"])


def _labels(cluster: Cluster, *, settled: bool) -> dict[str, str]:
    """The smallest key that each picture is connected to; unless all is settled, by pairs without a verdict too."""
    keys = sorted(member["key"] for member in cluster.members)
    place = {key: n for n, key in enumerate(keys)}
    ends = [
        (place[a], place[b])
        for a, b, link in _links(cluster)
        if link["relation"] != "unrelated" and not (settled and link["relation"] is None)
    ]
    i, j = np.array(ends, np.int64).reshape(-1, 2).T
    return {
        key: keys[root] for key, root in zip(keys, pairs.components(len(keys), i, j).tolist(), strict=True)
    }


def _links(cluster: Cluster) -> Iterator[tuple[str, str, Row]]:
    return ((a, b, link) for a, near in cluster.links.items() for b, link in near.items() if a < b)


def _pair(a: str, b: str) -> Pair:
    return (a, b) if a < b else (b, a)
