"""Settling: decide on clusters, and have the relations looked at that a decision takes."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from anidata.stages.dedup import keepers
from anidata.stages.dedup.field import EXACT, LOST, PLACES, Cluster, Link
from anidata.stages.dedup.keepers import DedupRow
from anidata.stages.dedup.tournament import Pair

# rounds in which each picture is held against one that probably stays: mostly all are decided then;
# in those after it against twice as many each time
SPARING = 2


class Seen(NamedTuple):
    """What two pictures are to each other, and which is the better by what."""

    relation: str
    better: str | None = None  # `a` or `b`
    because: str | None = None
    holds: bool = True  # whether components may grow over it


# links without a relation → by their keys what could be told
Verify = Callable[[list[Link]], dict[Pair, Seen]]


def settle(clusters: Iterable[Cluster], drop: Iterable[str], verify: Verify) -> tuple[list[DedupRow], int]:
    """A row for each picture, and of how many pairs a relation was wanted and not to be had.

    Round by round: decide on every cluster, and have the relations that are wanting. What isn't to be had is
    asked for once, and drops nobody.
    """
    rows: list[DedupRow] = []
    waiting, rounds, relations, undecided = 0, 0, frozenset(drop), list(clusters)
    is_short = False
    while undecided:
        looks = 1 << max(0, rounds - SPARING + 1)
        decisions = [(cluster, keepers.decide(cluster, relations, looks=looks)) for cluster in undecided]
        wanted = [cluster.links[a][b] for cluster, decision in decisions for a, b in sorted(decision.wanted)]
        if wanted:
            is_short |= note(wanted, verify(wanted))
        for cluster, decision in decisions:
            if not decision.wanted:
                rows += decision.rows
                waiting += _lost(cluster, decision.rows) if is_short else 0
        undecided, rounds = [cluster for cluster, decision in decisions if decision.wanted], rounds + 1
    return rows, waiting


def look(links: Sequence[Link], verify: Verify) -> None:
    """Have the relations of these links looked at, and write them into them."""
    if links:
        note(links, verify(list(links)))


def note(links: Sequence[Link], given: dict[Pair, Seen]) -> bool:
    """Write into links what could be told; whether some could not."""
    for link in links:
        seen = given.get((link["a"], link["b"]))
        if seen is None:
            link["relation"], link["holds"] = LOST, link["mirrored"] != PLACES
        else:
            link["relation"], link["better"], link["because"], link["holds"] = seen
    return len(given) < len(links)


def _lost(cluster: Cluster, rows: Sequence[DedupRow]) -> int:
    """Pairs that weren't to be had and may matter: both stay, or their equals do."""
    stay = {row["key"] for row in rows if not row["reasons"] or row["relation"] == EXACT}
    near = ((a, b, link) for a, links in cluster.links.items() for b, link in links.items() if a < b)
    return sum(link["relation"] == LOST and a in stay and b in stay for a, b, link in near)
