"""Keepers: of a cluster of pictures the best is kept, and what is a copy of it is dropped.

Best first, each picture is held against the keepers so far. It is dropped for a keeper that it is itself a
copy of, never through a chain; else it is kept too. So of a crowd of copies only the pairs with their keeper
need a look. The decision is that which the relations of all pairs would give: a pair is asked about where the
answer matters, and the decision waits for it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypedDict

import numpy as np

from anidata.duplicates import pairs

LOSSLESS = ("png", "bmp", "tiff")
# Of the area within plain borders, which ringing moves: pictures as large as that are of one size.
SAME_SIZE = 0.85
FRAMED = ("exact", "reencoded", "flip")  # relations of pictures that show the same
# Times its scale that an enlargement is softer, at least; copies at half size are never crisper by as much.
ENLARGED = 1.15

Pair = tuple[str, str]  # keys, ascending


class Picture(TypedDict):
    """What is known of a picture that has a link."""

    key: str
    frame: int  # px: width × height
    area: float  # px: of what lies within plain borders
    sharpness: float
    format: str
    pixels: bytes  # equal exactly where the pixels are
    bytes: int  # of its file
    broken: int  # reasons for which clean rejects it


class Link(TypedDict):
    """A candidate pair."""

    a: str
    b: str  # b > a
    mirrored: str  # whether the codes met as they are (`no`), mirrored (`yes`), or in both ways (`both`)
    distance: int  # bits
    relation: str | None  # None: nobody has looked at it yet


class DedupRow(TypedDict):
    """The decision on a picture, as schemas.DEDUP has it."""

    key: str
    cluster: str  # the smallest key in it
    keeper: str  # the picture itself where it is kept for its own sake
    relation: str  # to the keeper
    distance: int | None
    reasons: list[str]  # why it is dropped; none where it is kept


class Cluster(NamedTuple):
    """Pictures that candidate pairs connect."""

    members: list[Picture]
    links: dict[str, dict[str, Link]]  # key → other key → link, both ways


class Decision(NamedTuple):
    """A row for each picture of a cluster, and what else has to be known."""

    rows: list[DedupRow]  # by key
    # Without the relations of these the rows are provisional: what may be a copy is kept, and in one cluster.
    wanted: set[Pair]


def clusters(pictures: Sequence[Picture], links: Iterable[Link]) -> Iterator[Cluster]:
    """Yield what candidate pairs connect, one cluster after the other."""
    index = {picture["key"]: n for n, picture in enumerate(pictures)}
    both: dict[str, dict[str, Link]] = defaultdict(dict)
    ends = []
    for link in links:
        both[link["a"]][link["b"]] = both[link["b"]][link["a"]] = link
        ends.append((index[link["a"]], index[link["b"]]))
    gathered: dict[int, list[Picture]] = defaultdict(list)
    for picture, root in zip(pictures, _roots(len(pictures), ends), strict=True):
        gathered[root].append(picture)
    for members in gathered.values():
        yield Cluster(members, {member["key"]: both[member["key"]] for member in members})


def decide(cluster: Cluster, drop: frozenset[str], *, eager: bool = False) -> Decision:
    """Who is kept of a cluster, and for whom each other one is dropped.

    eager: where a relation is wanted, those are too of all pairs of pictures not dropped, which saves rounds.
    """
    choice = _Choice(cluster.links, drop)
    _choose(choice, cluster.members)
    wanted = choice.wanted
    label = _labels(cluster, complete=not wanted)
    if not wanted:
        wanted |= {(a, b) for a, b in _unknown(cluster) if label[a] != label[b]}
        if wanted:
            label = _labels(cluster, complete=False)
    elif eager:
        kept = {row["key"] for row in choice.rows if not row["reasons"]}
        wanted |= {pair for pair in _unknown(cluster) if kept.issuperset(pair)}
    return Decision(_labelled(choice.rows, label), wanted)


def _choose(choice: "_Choice", members: Sequence[Picture]) -> None:
    """Decide on all members, the best first: sound ones before broken ones, large ones before small ones."""
    size = tiers([member["area"] for member in members])
    for is_broken in (False, True):
        some = [member for member in members if (member["broken"] > 0) == is_broken]
        some.sort(key=lambda member: (size[member["area"]], worth(member)))
        enlarged = [member for member in some if not choice.decide_on(member, members)]
        for member in enlarged:
            choice.decide_on(member)


def _labelled(rows: Iterable[DedupRow], label: dict[str, str]) -> list[DedupRow]:
    """The rows by key, with their clusters; who is alone in its cluster is `single`."""
    sizes = Counter(label.values())
    for row in rows:
        row["cluster"] = label[row["key"]]
        if sizes[row["cluster"]] == 1:
            row["relation"] = "single"
    return sorted(rows, key=lambda row: row["key"])


class _Choice:
    """The keepers so far."""

    def __init__(self, links: dict[str, dict[str, Link]], drop: frozenset[str]) -> None:
        self._links, self._drop = links, drop
        self._keepers: list[str] = []
        # Pixels → keeper: equal pixels are linked as a star alone, and are near whatever its center.
        self._twins: dict[bytes, str] = {}
        self.rows: list[DedupRow] = []
        self.wanted: set[Pair] = set()

    def decide_on(self, member: Picture, rivals: Sequence[Picture] = ()) -> bool:
        """Drop or keep one picture; False of an enlargement of a rival, which has to wait for all others."""
        key, near = member["key"], self._links[member["key"]]
        if "exact" in self._drop and member["pixels"] in self._twins:
            self._add(key, self._twins[member["pixels"]], "exact", 0, dropped=True)
            return True
        related = None
        for keeper in (k for k in self._keepers if k in near):
            relation = near[keeper]["relation"]
            if relation is None or relation in self._drop:
                self._drop_for(keeper, key, near[keeper])
                return True
            if relation != "unrelated" and related is None:
                related = keeper
        if any(self._is_enlarged(member, rival) for rival in rivals if rival["key"] in near):
            return False
        self._keep(member, related)
        return True

    def _keep(self, member: Picture, related: str | None) -> None:
        """Keep a picture; related: the keeper that it is a variant of, or the like."""
        key = member["key"]
        self._keepers.append(key)
        self._twins.setdefault(member["pixels"], key)
        if related is None:
            self._add(key, key, "keeper")
        else:
            link = self._links[key][related]
            self._add(key, related, str(link["relation"]), link["distance"])

    def _drop_for(self, keeper: str, key: str, link: Link) -> None:
        """Drop a picture for a keeper; where nobody knows their relation, ask, and keep it meanwhile."""
        relation = link["relation"]
        if relation is None:
            self.wanted.add(_pair(key, keeper))
        self._add(key, keeper, relation or "variant", link["distance"], dropped=relation is not None)

    def _is_enlarged(self, member: Picture, rival: Picture) -> bool:
        return is_enlarged(member, rival) and self._shows_the_same(member["key"], rival["key"])

    def _shows_the_same(self, key: str, other: str) -> bool:
        relation = self._links[key][other]["relation"]
        if relation is None:
            self.wanted.add(_pair(key, other))
        return relation in FRAMED

    def _add(
        self, key: str, keeper: str, relation: str, distance: int | None = None, *, dropped: bool = False
    ) -> None:
        self.rows.append(
            DedupRow(
                key=key,
                cluster=key,
                keeper=keeper,
                relation=relation,
                distance=distance,
                reasons=["duplicate"] if dropped else [],
            )
        )


def is_enlarged(picture: Picture, other: Picture) -> bool:
    """Whether a picture is larger than its copy and yet shows less: softer by more than its scale."""
    scale = (picture["frame"] / other["frame"]) ** 0.5
    return bool(scale > 1 and picture["sharpness"] * scale * ENLARGED < other["sharpness"])


def tiers(areas: Iterable[float]) -> dict[float, int]:
    """Area → its rank, the largest first; those that hardly differ are of one."""
    ranks: dict[float, int] = {}
    top, rank = 0.0, -1
    for area in sorted(set(areas), reverse=True):
        if rank < 0 or area < top * SAME_SIZE:
            top, rank = area, rank + 1
        ranks[area] = rank
    return ranks


def worth(picture: Picture) -> tuple[bool, int, str]:
    """Of pictures of one size: the lossless first, then the one with more bytes, and the smaller key."""
    return (picture["format"] not in LOSSLESS, -picture["bytes"], picture["key"])


def _labels(cluster: Cluster, *, complete: bool) -> dict[str, str]:
    """Key → the smallest key connected to it; unless complete, by pairs nobody has looked at too."""
    keys = sorted(member["key"] for member in cluster.members)
    index = {key: n for n, key in enumerate(keys)}
    ends = [
        (index[a], index[b])
        for a, b, link in _links(cluster)
        if link["relation"] != "unrelated" and not (complete and link["relation"] is None)
    ]
    return {key: keys[root] for key, root in zip(keys, _roots(len(keys), ends), strict=True)}


def _roots(count: int, ends: Sequence[tuple[int, int]]) -> list[int]:
    """For each of so many places the smallest place that pairs connect it to."""
    i, j = np.array(ends, np.int64).reshape(-1, 2).T
    roots: list[int] = pairs.components(count, i, j).tolist()
    return roots


def _links(cluster: Cluster) -> Iterator[tuple[str, str, Link]]:
    return ((a, b, link) for a, near in cluster.links.items() for b, link in near.items() if a < b)


def _unknown(cluster: Cluster) -> Iterator[Pair]:
    """The pairs that nobody has looked at."""
    return ((a, b) for a, b, link in _links(cluster) if link["relation"] is None)


def _pair(a: str, b: str) -> Pair:
    return (a, b) if a < b else (b, a)
