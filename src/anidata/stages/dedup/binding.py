"""Binding: clusters that share a part are put into one split, as long as that doesn't chain everything.

A picture that shows most of another, or the same with something drawn over it, holds their components
together as any copy does. What shares less is a true match too, and would chain everything: sprites of one
base, one cat in thirty frames, a logo. So such a link joins two clusters only up to MOST pictures, the
strongest links first; of those that are left the number is told. And a link by places that alone holds two
larger parts together is a bridge, to be looked at: the report shows them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from anidata.stages.dedup.field import LOST, PLACES, UNRELATED, Link
from anidata.stages.dedup.keepers import DedupRow

MOST = 64  # pictures of a cluster that grows over what only shares a part
FEW = 5  # pictures on both sides of a bridge, at least
SHOWN = 200  # bridges that are noted

Graph = dict[str, dict[str, Link]]  # key → other key → link, both ways


class Bridge(NamedTuple):
    """A link by places that alone holds two parts of a cluster together."""

    a: str
    b: str
    relation: str
    sides: tuple[int, int]  # pictures on the side of a, and of b


class Bound(NamedTuple):
    """Rows with their final clusters."""

    rows: list[DedupRow]
    bridges: list[Bridge]  # those that hold most, first
    apart: int  # links by a shared part whose two pictures stand in two clusters


def bind(rows: Sequence[DedupRow], links: Iterable[Link]) -> Bound:
    """The rows with clusters joined that share a part, and what alone holds larger parts together."""
    related = [link for link in links if link["relation"] not in (None, LOST, UNRELATED)]
    loose = sorted(
        (link for link in related if not link["holds"]), key=lambda x: (-x["agreeing"], x["a"], x["b"])
    )
    label = {row["key"]: row["cluster"] for row in rows}
    joined = _joined(label, loose)
    label = {key: joined[cluster] for key, cluster in label.items()}
    within = [link for link in loose if label[link["a"]] == label[link["b"]]]
    standing = [link for link in related if link["holds"]] + within
    return Bound(_labelled(rows, label, within), _bridges(standing), len(loose) - len(within))


def _joined(label: dict[str, str], loose: Iterable[Link]) -> dict[str, str]:
    """Cluster → the cluster that it is part of: its smallest key."""
    size = Counter(label.values())
    home = {cluster: cluster for cluster in size}

    def root(cluster: str) -> str:
        while home[cluster] != cluster:
            cluster = home[cluster] = home[home[cluster]]
        return cluster

    for link in loose:
        first, second = sorted((root(label[link["a"]]), root(label[link["b"]])))
        if first != second and size[first] + size[second] <= MOST:
            home[second] = first
            size[first] += size[second]
    return {cluster: root(cluster) for cluster in home}


def _labelled(rows: Sequence[DedupRow], label: dict[str, str], within: Iterable[Link]) -> list[DedupRow]:
    """The rows with these clusters; who was alone shares something with the other of its strongest link."""
    near: dict[str, Link] = {}
    for link in within:
        near.setdefault(link["a"], link)
        near.setdefault(link["b"], link)
    keeper = {row["key"]: row["keeper"] if row["reasons"] else row["key"] for row in rows}
    return [_labelled_row(row, label[row["key"]], near.get(row["key"]), keeper) for row in rows]


def _labelled_row(row: DedupRow, cluster: str, link: Link | None, keeper: dict[str, str]) -> DedupRow:
    """A row with its cluster; link: the strongest by a shared part, if it has one within."""
    row = row | {"cluster": cluster}
    if row["relation"] == "single" and link:
        row["relation"] = "keeper"
        if row["key"] != cluster:
            row["relation"] = str(link["relation"])
            row["keeper"] = keeper[link["a"] if link["b"] == row["key"] else link["b"]]
    return row


def count_of(made: Mapping[str, Any], name: str) -> int:
    """A count among a decision's notes; 0 where there is none: the notes may be another's."""
    count = made.get(name)
    return count if isinstance(count, int) else 0


def noted(made: Mapping[str, Any]) -> list[Bridge]:
    """The bridges among a decision's notes; what isn't one is passed over: the notes may be another's."""
    rows = made.get("bridges")
    bridges = []
    for row in rows if isinstance(rows, list) else []:
        try:
            first, second = row["sides"]
            bridges.append(
                Bridge(str(row["a"]), str(row["b"]), str(row["relation"]), (int(first), int(second)))
            )
        except (TypeError, KeyError, ValueError):
            continue
    return bridges[:SHOWN]


# --- bridges ------------------------------------------------------------------------------------------------


def _bridges(links: Iterable[Link]) -> list[Bridge]:
    """The links by places without which a cluster falls into two parts, both of FEW pictures or more."""
    graph: Graph = defaultdict(dict)
    for link in links:
        graph[link["a"]][link["b"]] = graph[link["b"]][link["a"]] = link
    bridges = [bridge for root in _roots(graph) for bridge in _cut(graph, root)]
    return sorted(bridges, key=lambda bridge: (-min(bridge.sides), bridge.a, bridge.b))


def _roots(graph: Graph) -> Iterator[str]:
    """Yield a picture of each component that a link by places is part of, the smallest."""
    seen: set[str] = set()
    for root in sorted(key for key, near in graph.items() if any(map(_is_by_places, near.values()))):
        if root not in seen:
            yield root
            waiting = [root]
            seen.add(root)
            while waiting:
                fresh = graph[waiting.pop()].keys() - seen
                seen |= fresh
                waiting += fresh


def _is_by_places(link: Link) -> bool:
    return link["mirrored"] == PLACES


class _Walk(NamedTuple):
    """A walk through a component, in which each picture comes from the one above it."""

    order: dict[str, int]  # in which they were met
    above: dict[str, str]
    low: dict[str, int]  # the first that one can be reached from otherwise, or from what lies below it
    size: dict[str, int]  # of what lies below one, itself too


def _cut(graph: Graph, root: str) -> Iterator[Bridge]:
    """Yield the bridges of a root's component.

    Source: Tarjan 1974, A note on finding the bridges of a graph.
    """
    walk = _walked(graph, root)
    for key, above in walk.above.items():
        link = graph[key][above] if above else None
        if link and _is_by_places(link) and walk.low[key] > walk.order[above]:
            sides = {key: walk.size[key], above: walk.size[root] - walk.size[key]}
            if min(sides.values()) >= FEW:
                both = sides[link["a"]], sides[link["b"]]
                yield Bridge(link["a"], link["b"], str(link["relation"]), both)


def _walked(graph: Graph, root: str) -> _Walk:
    walk = _Walk({root: 0}, {root: ""}, {root: 0}, {root: 1})
    path = [(root, iter(sorted(graph[root])))]
    while path:
        key, near = path[-1]
        other = next((one for one in near if not _is_met(walk, key, one)), None)
        if other is not None:
            walk.order[other] = walk.low[other] = len(walk.order)
            walk.above[other], walk.size[other] = key, 1
            path.append((other, iter(sorted(graph[other]))))
            continue
        path.pop()
        above = walk.above[key]
        if above:
            walk.low[above] = min(walk.low[above], walk.low[key])
            walk.size[above] += walk.size[key]
    return walk


def _is_met(walk: _Walk, key: str, other: str) -> bool:
    """Whether the walk has met another, and then noted that it can be reached from here."""
    if other not in walk.order:
        return False
    if other != walk.above[key]:
        walk.low[key] = min(walk.low[key], walk.order[other])
    return True
