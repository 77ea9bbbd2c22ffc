"""A cluster as its decision takes it: pictures of equal pixels as one, and what is known of each pair."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypedDict

import numpy as np

from anidata.duplicates import pairs
from anidata.stages.dedup import codes, standing
from anidata.stages.dedup.standing import Picture, Verdict, Votes, rank
from anidata.stages.dedup.tournament import Pair, ascending

UNRELATED, EXACT = "unrelated", "exact"
ACROSS = ("flip", "turn")  # of which the side decides
MET_STRAIGHT = ("no", "both")
PLACES = "places"  # in place of the way in which windows met
FAR = 64  # bits, more than two windows that met ever differ by
LOST = "lost"  # in place of a relation that was asked for and isn't to be had now: it drops nobody


class Link(TypedDict):
    """A candidate pair."""

    a: str
    b: str  # b > a
    # as the codes met: as they are (`no`), mirrored (`yes`), in both ways, in `neither`, by `places` alone
    mirrored: str
    turned: int  # by which turns they met, a bit set of ways.TURNS
    distance: int  # bits; FAR where no windows met
    # where places say that b shows a, as place_agreement.HINT has it; None: they say nothing
    scale: float | None
    dx: float | None
    dy: float | None
    agreeing: int  # places
    relation: str | None  # None: nobody has looked at it yet
    better: str | None  # `a` or `b`; None: pixels don't tell
    because: str | None  # what tells
    holds: bool  # whether components may grow over it: it covers most of one of the two


Links = dict[str, dict[str, Link]]  # key → other key → link, both ways


class Cluster(NamedTuple):
    """Pictures that candidate pairs connect."""

    members: list[Picture]
    links: Links


def clusters(pictures: Sequence[Picture], links: Iterable[Link]) -> Iterator[Cluster]:
    """Yield what candidate pairs connect, one cluster after the other."""
    index = {picture["key"]: n for n, picture in enumerate(pictures)}
    both: Links = defaultdict(dict)
    ends = []
    for link in links:
        both[link["a"]][link["b"]] = both[link["b"]][link["a"]] = link
        ends.append((index[link["a"]], index[link["b"]]))
    gathered: dict[int, list[Picture]] = defaultdict(list)
    for picture, root in zip(pictures, roots(len(pictures), ends), strict=True):
        gathered[root].append(picture)
    for members in gathered.values():
        yield Cluster(members, {member["key"]: both[member["key"]] for member in members})


def roots(count: int, ends: Sequence[tuple[int, int]]) -> list[int]:
    """For each of so many places the smallest place that pairs connect it to."""
    i, j = np.array(ends, np.int64).reshape(-1, 2).T
    smallest: list[int] = pairs.components(count, i, j).tolist()
    return smallest


class Field:
    """The pictures of a cluster, each standing for all of its pixels, by rank."""

    def __init__(self, cluster: Cluster, drop: frozenset[str]) -> None:
        self.drop = drop
        members = sorted(cluster.members, key=rank)
        first: dict[object, str] = {}
        self.home = {  # key → that of the picture which stands for it
            m["key"]: first.setdefault(m["pixels"] if EXACT in drop else m["key"], m["key"]) for m in members
        }
        self.pictures = {m["key"]: m.copy() for m in members if self.home[m["key"]] == m["key"]}
        self.twins = [m for m in members if self.home[m["key"]] != m["key"]]
        for twin in self.twins:
            mine = self.pictures[self.home[twin["key"]]]
            dates = [date for date in (mine["stated"], twin["stated"]) if date is not None]
            mine["stated"] = min(dates, default=None)
        self.links = self._merged(cluster.links) if self.twins else cluster.links
        self.order = list(self.pictures)
        self.place = {key: n for n, key in enumerate(self.order)}
        # The larger first: mostly it stays, and who is looked at first changes no decision.
        self.guess = sorted(
            self.order, key=lambda key: (self.is_broken(key), -self.pictures[key]["area"], self.place[key])
        )

    def _merged(self, links: Links) -> Links:
        """The links between those that stand for others: equal pixels have one relation to any picture."""
        merged: Links = {key: {} for key in self.pictures}
        for one, near in links.items():
            for other, link in near.items():
                a, b = self.home[one], self.home[other]
                if a != b and (b not in merged[a] or _order(link) < _order(merged[a][b])):
                    merged[a][b] = link
        return merged

    def is_broken(self, key: str) -> bool:
        return self.pictures[key]["broken"] > 0

    def may_beat(self, one: str, other: str) -> bool:
        """What clean rejects never beats what it keeps."""
        return not self.is_broken(one) or self.is_broken(other)

    def relation(self, one: str, other: str) -> str | None:
        return self.links[one][other]["relation"]

    def is_straight(self, one: str, other: str) -> bool | None:
        """Whether one is dropped for the other, or the reverse, as they lie; None: nobody has looked."""
        link = self.links[one][other]
        relation = link["relation"]
        if relation is None:
            return None if link["mirrored"] in MET_STRAIGHT else False
        return relation in self.drop and relation not in ACROSS

    def is_across(self, one: str, other: str) -> bool:
        """Whether one is dropped for the other, or the reverse, as its mirror image or turned."""
        relation = self.relation(one, other)
        return relation in self.drop and relation in ACROSS

    def is_copy(self, one: str, other: str) -> bool:
        """Whether one of two is dropped where the other is kept."""
        return bool(self.is_straight(one, other)) or self.is_across(one, other)

    def told(self, one: str, other: str) -> Verdict | None:
        """What the pixels of two tell."""
        link = self.links[one][other]
        if link["better"] == "a":
            return Verdict(self.home[link["a"]], str(link["because"]))
        return Verdict(self.home[link["b"]], str(link["because"])) if link["better"] == "b" else None

    def straight(self, one: str, other: str) -> Verdict:
        """Which of two that show the same way round stays."""
        return standing.straight(self.pictures[one], self.pictures[other], self.told(one, other))

    def across(self, one: str, other: str) -> Verdict:
        """Which of two mirror images, or turned copies, stays."""
        (some, all_), (others, all_others) = self.copies(one), self.copies(other)
        votes = Votes((some, others), (all_, all_others))
        return standing.across(self.pictures[one], self.pictures[other], self.told(one, other), votes)

    def may_fall(self, one: str, keeper: str) -> bool:
        """Whether one may be dropped for a keeper: it is a copy, and no evidence calls it the better."""
        if not self.may_beat(keeper, one) or not self.is_copy(one, keeper):
            return False
        evidence = self.told(one, keeper)
        if evidence is None or evidence.winner == keeper or evidence.code == codes.GUESS:
            return True
        return self.is_across(one, keeper) and evidence.code in codes.OUTVOTED

    def pair(self, one: str, other: str) -> Pair:
        """The candidate pair that stands for two."""
        link = self.links[one][other]
        return ascending(link["a"], link["b"])

    def copies(self, key: str) -> tuple[int, int]:
        """How many pictures are as one lies, itself too: those not derived from it, and all."""
        near = [other for other in self.links[key] if self.is_straight(key, other)]
        own = {self.pictures[other]["pixels"] for other in near if not self._is_derived(other, key)}
        mine = {self.pictures[key]["pixels"]}
        return len(own | mine), len({self.pictures[other]["pixels"] for other in near} | mine)

    def _is_derived(self, one: str, other: str) -> bool:
        evidence = self.told(one, other)
        return evidence is not None and evidence.winner == other and evidence.code in codes.DERIVED


def _order(link: Link) -> tuple[int, int, str, str]:
    """Of several links between equal pixels the known, then the nearest to be had stands for all."""
    known = {None: 1, LOST: 2}.get(link["relation"], 0)
    return known, link["distance"], link["a"], link["b"]
