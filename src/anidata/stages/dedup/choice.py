"""Who stays of a cluster: those that show the same way round are matched first, then mirror images and turns.

What is said here of mirror images holds of copies turned by quarters too.
"""

from collections.abc import Iterable, Sequence
from itertools import chain

from anidata.stages.dedup import codes
from anidata.stages.dedup.field import Field
from anidata.stages.dedup.standing import Verdict
from anidata.stages.dedup.tournament import Edge, Pair, Rivals, ascending, play

STRAIGHT, ACROSS = codes.strengths(codes.STRAIGHT), codes.strengths(codes.ACROSS)


class Choice:
    """Who stays so far.

    What was dropped for one that goes for its mirror image is matched again, unless it is a copy of one that
    stays. `turned`: who went for a mirror image → what says so. `heirs`: who has lost its keeper thereby →
    that.
    """

    def __init__(self, field: Field, looks: int) -> None:
        self._field, self._looks = field, looks
        self.kept: set[str] = set()
        self.turned: dict[str, str] = {}
        self.heirs: dict[str, str] = {}
        self.wanted: set[Pair] = set()  # what else has to be known; meanwhile what may be a copy is kept
        left = field.order
        while left and not self.wanted:
            left = self._round(left)
        self.kept |= set(left)

    def _round(self, members: Sequence[str]) -> list[str]:
        """Decide on pictures; who is left has lost its keeper, and is a copy of none that stays."""
        field, rivals = self._field, self._rivals(members)
        some = play(members, rivals, may_beat=field.may_beat, first=self._first(), looks=self._looks)
        self.want(some.wanted)
        stay = [*some.kept, *some.waiting]
        kept = set() if self.wanted else self._across(stay)
        if self.wanted:
            self.kept |= set(stay)
            return []
        self.kept |= kept
        if len(kept) == len(stay):
            return []
        return [m for m in some.dropped if not self._falls(m, rivals[m], set(stay), kept)]

    def _first(self) -> Sequence[str]:
        """Who probably stays: by area; where that has misled, every other one by rank, which is chance."""
        if self._looks == 1:
            return self._field.guess
        both = zip(self._field.guess, self._field.order, strict=True)
        return list(dict.fromkeys(chain.from_iterable(both)))

    def want(self, wanted: Iterable[Pair]) -> None:
        self.wanted |= {self._field.pair(a, b) for a, b in wanted}

    def _rivals(self, members: Sequence[str]) -> Rivals:
        """The pairs of which only one stays, as they lie."""
        field = self._field
        rivals: Rivals = {member: {} for member in members}
        for one in members:
            for other in field.links[one]:
                if one < other and other in rivals:
                    is_straight = field.is_straight(one, other)
                    if is_straight is not False:
                        edge = _edge(field.straight(one, other), STRAIGHT) if is_straight else None
                        rivals[one][other] = rivals[other][one] = edge
        return rivals

    def _across(self, stay: Sequence[str]) -> set[str]:
        """Who of these stays beside its mirror images."""
        field, among = self._field, set(stay)
        pairs = [(a, b) for a in stay for b in field.links[a] if a < b and b in among]
        self.want(pair for pair in pairs if field.relation(*pair) is None)
        flips = [pair for pair in pairs if field.is_across(*pair)]
        for one in {one for pair in flips for one in pair}:
            self.want((one, other) for other in field.links[one] if field.is_straight(one, other) is None)
        if self.wanted or not flips:
            return among
        verdicts = {pair: field.across(*pair) for pair in flips}
        rivals: Rivals = {member: {} for member in stay}
        for (a, b), verdict in verdicts.items():
            rivals[a][b] = rivals[b][a] = _edge(verdict, ACROSS)
        kept = set(play(stay, rivals, may_beat=field.may_beat, first=stay).kept)
        for one in among - kept:
            keeper = min(kept.intersection(rivals[one]), key=field.place.__getitem__)
            verdict = verdicts[ascending(one, keeper)]
            self.turned[one] = verdict.code if verdict.winner == keeper else codes.CIRCLE
        return kept

    def _falls(self, member: str, rivals: dict[str, Edge | None], stay: set[str], kept: set[str]) -> bool:
        """Whether one that was dropped for some who stay as they lie is a copy of some who are kept."""
        field, there = self._field, stay.intersection(rivals)
        for_whom = {o for o in there if (edge := rivals[o]) and edge.winner == o} or there
        if not kept.isdisjoint(for_whom):
            return True
        self.heirs[member] = min(for_whom, key=field.place.__getitem__)
        near = kept.intersection(field.links[member])
        if any(field.may_fall(member, keeper) for keeper in near):
            return True
        self.want((member, keeper) for keeper in near if field.relation(member, keeper) is None)
        return False


def _edge(verdict: Verdict, strengths: dict[str, int]) -> Edge:
    """A verdict as a tournament has it; the weakest is a code that this version doesn't know."""
    return Edge(verdict.winner, strengths.get(verdict.code, len(strengths)))
