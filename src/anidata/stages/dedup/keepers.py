"""Keepers: of a cluster of pictures the nearest to the original stay, and what is a copy of one is dropped.

Which of two stays is told by their pair: by what the pixels tell, then by where they were seen, then by key
(standing.py). Those are matched first that show the same way round, then mirror images and turns (choice.py).
A picture is dropped for a keeper that it is itself a copy of, never through a chain; else it is kept too. So
of a crowd of copies only the pairs with their keeper need a look. The decision is that which the relations of
all pairs would give: a pair is asked about where the answer matters, and the decision waits for it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple, TypedDict

from anidata.stages.dedup import standing
from anidata.stages.dedup.choice import Choice
from anidata.stages.dedup.codes import CIRCLE, OUTVOTED, SOUND
from anidata.stages.dedup.decision import DUPLICATE
from anidata.stages.dedup.field import EXACT, FAR, LOST, MET_STRAIGHT, UNRELATED, Cluster, Field, Link, roots
from anidata.stages.dedup.standing import Picture
from anidata.stages.dedup.tournament import Pair

UNSEEN = (None, LOST)  # in place of relations: until they are known, what may be a copy passes for a variant


class DedupRow(TypedDict):
    """The decision on a picture, as its table has it."""

    key: str
    cluster: str  # the smallest key in it
    keeper: str  # the picture itself where it is kept for its own sake
    relation: str  # to the keeper
    distance: int | None
    why: str | None  # the keeper stands before it: a code; None where it is its own
    reasons: list[str]  # why it is dropped; none where it is kept


class Decision(NamedTuple):
    """A row for each picture of a cluster, and what else has to be known."""

    rows: list[DedupRow]  # by key
    # Without the relations of these the rows are provisional: what may be a copy is kept, and in one cluster.
    wanted: set[Pair]


def decide(cluster: Cluster, drop: frozenset[str], *, looks: int = 1) -> Decision:
    """Who is kept of a cluster, and for whom each other one is dropped.

    looks: how many pairs are wanted of each picture at once; more save rounds.
    """
    field = Field(cluster, drop)
    choice = Choice(field, looks)
    rows = _rows(field, choice)
    wanted = choice.wanted
    label = _labels(cluster, complete=not wanted)
    if not wanted:
        wanted |= {(a, b) for a, b in _unknown(cluster) if label[a] != label[b]}
        if wanted:
            label = _labels(cluster, complete=False)
    return Decision(_labelled(rows, label), wanted)


def _rows(field: Field, choice: Choice) -> list[DedupRow]:
    """What is said of each picture; who may have a nearer keeper is wanted with that."""
    rows: dict[str, DedupRow] = {}
    unsure: list[Pair] = []
    for member in field.order:
        if member in choice.kept:
            rows[member] = _kept_row(field, choice.kept, member)
        else:
            keeper, nearer = _keeper(field, choice.kept, member)
            link, why = field.links[member][keeper], _why(field, choice, member, keeper)
            rows[member] = _row(member, keeper, str(link["relation"]), link["distance"], why, dropped=True)
            unsure += [(member, other) for other in nearer]
    if not choice.wanted:
        choice.want(unsure)
    return [*rows.values(), *(_twin_row(field, twin, rows) for twin in field.twins)]


def _kept_row(field: Field, kept: set[str], member: str) -> DedupRow:
    """The row of a picture that stays: what it is to the first of those that are like it."""
    links, nth = field.links[member], field.place
    before = [o for o in links if o in kept and nth[o] < nth[member] and links[o]["holds"]]
    like = [o for o in before if links[o]["relation"] != UNRELATED]
    if not like:
        return _row(member, member, "keeper")
    first = min(like, key=nth.__getitem__)
    why = standing.straight(field.pictures[first], field.pictures[member], None).code
    relation, distance = links[first]["relation"], links[first]["distance"]
    return _row(member, first, "variant" if relation in UNSEEN else str(relation), distance, why)


def _keeper(field: Field, kept: set[str], member: str) -> tuple[str, list[str]]:
    """For whom a picture is dropped: the nearest of the keepers that it is a copy of.

    And who would be nearer, if it is one.
    """
    near = [other for other in field.links[member] if other in kept]
    if len(near) > 1:
        near.sort(key=partial(_nearness, field, member))
    keeper = next(k for k in near if field.is_copy(member, k))
    return keeper, [k for k in near[: near.index(keeper)] if field.relation(member, k) is None]


def _nearness(field: Field, member: str, keeper: str) -> tuple[bool, bool, int, int]:
    """Better evidence first, then who shows the same way round, then by bits."""
    link, is_known = field.links[member][keeper], field.relation(member, keeper) is not None
    is_turned = field.is_across(member, keeper) if is_known else link["mirrored"] not in MET_STRAIGHT
    is_against = is_known and not _is_behind(field, member, keeper)
    return is_against, is_turned, link["distance"], field.place[keeper]


def _is_behind(field: Field, member: str, keeper: str) -> bool:
    """Whether one may be dropped for a keeper by what their own pair says."""
    if field.is_straight(member, keeper):
        return field.straight(member, keeper).winner == keeper
    return field.may_fall(member, keeper)


def _why(field: Field, choice: Choice, member: str, keeper: str) -> str:
    """The code of what says that one is dropped for a keeper."""
    if field.is_straight(member, keeper):
        verdict = field.straight(member, keeper)
        return verdict.code if verdict.winner == keeper else CIRCLE
    if field.is_broken(member) and not field.is_broken(keeper):
        return SOUND
    evidence = field.told(member, keeper)
    if evidence and evidence.winner == keeper and evidence.code not in OUTVOTED:
        return evidence.code
    return choice.turned.get(member) or choice.turned.get(choice.heirs.get(member, ""), CIRCLE)


def _twin_row(field: Field, twin: Picture, rows: dict[str, DedupRow]) -> DedupRow:
    """The row of a picture of which another of equal pixels is held against all others."""
    home = rows[field.home[twin["key"]]]
    if home["reasons"]:
        return home | {"key": twin["key"]}
    why = standing.straight(field.pictures[home["key"]], twin, None).code
    return _row(twin["key"], home["key"], EXACT, 0, why, dropped=True)


def _row(
    key: str,
    keeper: str,
    relation: str,
    distance: int | None = None,
    why: str | None = None,
    *,
    dropped: bool = False,
) -> DedupRow:
    return DedupRow(
        key=key,
        cluster=key,
        keeper=keeper,
        relation=relation,
        distance=None if distance == FAR else distance,
        why=why,
        reasons=[DUPLICATE] if dropped else [],
    )


def _labelled(rows: Iterable[DedupRow], label: dict[str, str]) -> list[DedupRow]:
    """The rows by key, with their clusters; who is alone in its cluster is `single`."""
    sizes = Counter(label.values())
    for row in rows:
        row["cluster"] = label[row["key"]]
        if sizes[row["cluster"]] == 1:
            row["relation"] = "single"
    return sorted(rows, key=lambda row: row["key"])


def _labels(cluster: Cluster, *, complete: bool) -> dict[str, str]:
    """Key → the smallest key connected to it; unless complete, by pairs nobody has looked at too.

    What wasn't to be had connects; what holds no components together doesn't.
    """
    keys = sorted(member["key"] for member in cluster.members)
    index = {key: n for n, key in enumerate(keys)}
    ends = [
        (index[a], index[b])
        for a, b, link in _links(cluster)
        if link["holds"] and link["relation"] != UNRELATED and not (complete and link["relation"] is None)
    ]
    return {key: keys[root] for key, root in zip(keys, roots(len(keys), ends), strict=True)}


def _links(cluster: Cluster) -> Iterator[tuple[str, str, Link]]:
    return ((a, b, link) for a, near in cluster.links.items() for b, link in near.items() if a < b)


def _unknown(cluster: Cluster) -> Iterator[Pair]:
    """The pairs that nobody has looked at."""
    return ((a, b) for a, b, link in _links(cluster) if link["relation"] is None)
