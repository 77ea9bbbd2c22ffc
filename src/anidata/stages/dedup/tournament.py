"""A tournament: which of many stay, where of two that can't both stay one beats the other.

Who is beaten by one that stays goes; who is beaten by none that stays, stays. Where nobody is beaten in a
circle, that says it all, whatever the order in which it is asked, and of many pairs nobody has to know the
answer: a pair is wanted where it may still matter. A circle that no other beats is undone within itself, its
weakest edges first (`ordered`).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import NamedTuple

Pair = tuple[str, str]  # names, ascending


class Edge(NamedTuple):
    """Of two that can't both stay: who beats the other, and how strong that is, 0 the strongest."""

    winner: str
    strength: int


Rivals = dict[str, dict[str, Edge | None]]  # both ways; None: nobody has looked whether they are any


class Outcome(NamedTuple):
    """Who stays, who goes, who waits for what, all by rank."""

    kept: list[str]
    dropped: list[str]
    waiting: list[str]
    wanted: set[Pair]


def play(
    members: Sequence[str],
    rivals: Rivals,
    *,
    may_beat: Callable[[str, str], bool],
    first: Sequence[str],
    looks: int = 1,
) -> Outcome:
    """Decide as far as it is known.

    members: by rank. may_beat: whether the one might beat the other, if they are rivals. first: the members
    in the order in which they are guessed to stay: it saves looks, and changes nothing else. looks: pairs
    that are wanted of each member at once.
    """
    game = _Game(members, rivals, may_beat)
    game.run()
    return Outcome(
        [m for m in members if m in game.kept],
        [m for m in members if m not in game.kept and m not in game.undecided],
        [m for m in members if m in game.undecided],
        game.wanted(first, looks) if game.undecided else set(),
    )


class _Game:
    """What has been decided so far."""

    def __init__(self, members: Sequence[str], rivals: Rivals, may_beat: Callable[[str, str], bool]) -> None:
        self._rivals, self._rank = rivals, {m: n for n, m in enumerate(members)}
        self.undecided = set(members)
        self.kept: set[str] = set()
        # Member → others not dropped that beat it, or may.
        self._blockers = {m: set(self._blocking(m, may_beat)) for m in members}
        self._ready = [m for m in members if not self._blockers[m]]

    def _blocking(self, member: str, may_beat: Callable[[str, str], bool]) -> Iterator[str]:
        for other, edge in self._rivals[member].items():
            if other in self._rank and (may_beat(other, member) if edge is None else edge.winner == other):
                yield other

    def run(self) -> None:
        """Decide on all that can be decided."""
        while self._ready or (self.undecided and self._undo_circles()):
            while self._ready:
                member = self._ready.pop()
                if member in self.undecided:
                    self._keep(member)

    def _keep(self, member: str) -> None:
        self.undecided.discard(member)
        self.kept.add(member)
        for other, edge in self._rivals[member].items():
            if edge and edge.winner == member and other in self.undecided:
                self._drop(other)

    def _drop(self, member: str) -> None:
        self.undecided.discard(member)
        for other in self._rivals[member]:
            if other in self.undecided:
                self._blockers[other].discard(member)
                if not self._blockers[other]:
                    self._ready.append(other)

    def _undo_circles(self) -> bool:
        """Decide on the circles that no other beats and of which all is known; whether there was one."""
        undone = False
        for circle in self._sources():
            if len(circle) > 1 and not any(self._unknown(m) for m in circle):
                undone = True
                self._undo(circle)
        return undone

    def _undo(self, circle: set[str]) -> None:
        edges = {m: {o: e for o, e in self._rivals[m].items() if o in circle and e} for m in circle}
        for member in ordered(self._by_rank(circle), edges):
            if member not in self.undecided:
                continue
            if self.kept.isdisjoint(edges[member]):
                self._keep(member)
            else:
                self._drop(member)

    def _unknown(self, member: str) -> list[str]:
        """Those that may beat a member, if they are its rivals at all."""
        return [other for other in self._blockers[member] if self._rivals[member][other] is None]

    def _sources(self) -> list[set[str]]:
        """Of the undecided those that no other of them beats for all we know, alone or as circles."""
        beaten_by = {
            m: [o for o in self._blockers[m] if o in self.undecided and self._rivals[m][o]]
            for m in self._by_rank(self.undecided)
        }
        groups = circles(beaten_by)
        home = {m: n for n, group in enumerate(groups) for m in group}
        return [
            group for n, group in enumerate(groups) if all(home[o] == n for m in group for o in beaten_by[m])
        ]

    def wanted(self, first: Sequence[str], looks: int) -> set[Pair]:
        """The pairs to be looked at next: of each one undecided with those that probably stay."""
        sources = set[str]().union(*self._sources())
        asked, pairs = dict.fromkeys(self.undecided, 0), set[Pair]()
        for leader in (m for m in first if m in self.kept or m in sources):
            if asked.get(leader, 0) < looks:
                for other in self._victims(leader):
                    if asked[other] < looks:
                        asked[other] += 1
                        pairs |= {ascending(leader, other)} if self._rivals[leader][other] is None else set()
        return pairs or {ascending(m, other) for m in sources for other in self._unknown(m)}

    def _victims(self, leader: str) -> Iterator[str]:
        """The undecided that one beats, or may."""
        for other, edge in self._rivals[leader].items():
            if other in self.undecided and (edge is None or edge.winner == leader):
                yield other

    def _by_rank(self, members: Iterable[str]) -> list[str]:
        return sorted(members, key=self._rank.__getitem__)


def ascending(a: str, b: str) -> Pair:
    return (a, b) if a < b else (b, a)


def ordered(members: Sequence[str], edges: dict[str, dict[str, Edge]]) -> list[str]:
    """The members, each before those that it beats; circles are undone by leaving out their weakest edges.

    members: by rank, which decides where no edge does. edges: among them.
    """
    beaten_by = {m: [o for o, edge in edges[m].items() if edge.winner == o] for m in members}
    rank = {m: n for n, m in enumerate(members)}
    order: list[str] = []
    for group in _by_defeats(circles(beaten_by), beaten_by, rank):
        weakest = max((edges[m][o].strength for m in group for o in edges[m] if o in group), default=0)
        within = {
            m: {o: e for o, e in edges[m].items() if o in group and e.strength < weakest} for m in group
        }
        order += ordered(sorted(group, key=rank.__getitem__), within) if len(group) > 1 else group
    return order


def _by_defeats(
    groups: list[set[str]], beaten_by: dict[str, list[str]], rank: dict[str, int]
) -> Iterator[set[str]]:
    """Yield the groups, each behind those that beat one of it; where that leaves a choice, by rank."""
    home = {m: n for n, group in enumerate(groups) for m in group}
    above = [{home[o] for m in group for o in beaten_by[m]} - {n} for n, group in enumerate(groups)]
    below = defaultdict[int, list[int]](list)
    for n, some in enumerate(above):
        for other in some:
            below[other].append(n)
    best = [min(rank[m] for m in group) for group in groups]
    free = [(best[n], n) for n, some in enumerate(above) if not some]
    heapify(free)
    while free:
        _, n = heappop(free)
        yield groups[n]
        for other in below[n]:
            above[other].discard(n)
            if not above[other]:
                heappush(free, (best[other], other))


def circles(beaten_by: Mapping[str, Sequence[str]]) -> list[set[str]]:
    """Groups whose members all beat each other, directly or through others; who is in no circle is alone.

    Source: Tarjan 1972, without recursion.
    """
    low: dict[str, int] = {}
    number: dict[str, int] = {}
    stack: list[str] = []
    groups: list[set[str]] = []
    closed: set[str] = set()
    for start in beaten_by:
        path = [(start, iter(beaten_by[start]))] if start not in number else []
        while path:
            member, others = path[-1]
            if member not in number:
                number[member] = low[member] = len(number)
                stack.append(member)
            other = next((o for o in others if o not in closed), None)
            if other is None:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[member])
                if low[member] == number[member]:
                    groups.append(_taken_off(stack, member))
                    closed |= groups[-1]
            elif other in number:
                low[member] = min(low[member], number[other])
            else:
                path.append((other, iter(beaten_by[other])))
    return groups


def _taken_off(stack: list[str], last: str) -> set[str]:
    """What lies on a stack down to a member, and no longer does."""
    group: set[str] = set()
    while last not in group:
        group.add(stack.pop())
    return group
