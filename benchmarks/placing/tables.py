"""Tables of links by case and tool, as Markdown."""

from collections import Counter
from collections.abc import Mapping, Sequence

from copies.scoring import mean
from copies.tables import share
from placing.cases import CASES, OLD_CASES, OLD_PILES
from placing.linking import Outcome

Table = Mapping[str, Sequence[Outcome]]  # pile → pairs
GOALS = {case.name: case.goal for case in CASES} | {"old 22": next(iter(OLD_CASES.values())).goal}
GROUPS = {case.name: case.group for case in CASES}


def by_case(tools: Mapping[str, Table]) -> str:
    """A row a case, the old transforms together in one; then one a group of cases."""
    lines = [
        f"| how it was made | pairs | goal | {' | '.join(tools)} | anidata's relation |",
        f"|---|---:|---:|{'---:|' * len(tools)}---|",
    ]
    merged = {tool: _merged(table) for tool, table in tools.items()}
    ours = merged.get("anidata", {})
    for name in next(iter(merged.values())):
        goal = share(GOALS[name])
        lines.append(_row(name, goal, {t: table[name] for t, table in merged.items()}, ours.get(name, [])))
    for group in dict.fromkeys(GROUPS.values()):
        some = {tool: _grouped(table, group) for tool, table in merged.items()}
        if any(some.values()):
            lines.append(_row(f"*all {group}*", "", some, []))
    return "\n".join(lines)


def _merged(table: Table) -> dict[str, list[Outcome]]:
    """The piles of old transforms as one."""
    merged: dict[str, list[Outcome]] = {}
    for pile, some in table.items():
        merged.setdefault("old 22" if pile in OLD_PILES else pile, []).extend(some)
    return merged


def _grouped(table: Table, group: str) -> list[Outcome]:
    return [one for pile, some in table.items() if GROUPS.get(pile) == group for one in some]


def _row(name: str, goal: str, some: Mapping[str, Sequence[Outcome]], ours: Sequence[Outcome]) -> str:
    shares = [share(mean(one.linked for one in outcomes)) for outcomes in some.values()]
    count = max(map(len, some.values()))
    return f"| {name} | {count} | {goal} | {' | '.join(shares)} | {relations(ours)} |"


def relations(some: Sequence[Outcome]) -> str:
    """The three commonest relations of pairs, with their shares."""
    counts = Counter(one.relation for one in some)
    return ", ".join(f"{name} {share(n / counts.total())}" for name, n in counts.most_common(3))


def wrong(counts: Mapping[str, tuple[int, int]]) -> str:
    """Links of two originals in all piles, of the pairs that there are, by tool; see keypoints.NEXT."""
    words = (f"{tool} {links:,}" for tool, (links, _) in counts.items())
    most = max(pairs for _, pairs in counts.values())
    return f"Originals in one cluster with another one, of {most:,} pairs: {', '.join(words)}"
