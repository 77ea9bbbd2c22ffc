"""Tables of what scoring counted, as Markdown."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from copies.orders import Outcome
from copies.scoring import OLD, Counts, Fate, kinds, mean, true_copies
from copies.stated import TRANSFORMS

GOALS = {  # of the half that nothing was tuned on
    "originals dropped for a worse copy": "at most .005",
    "expressions lost": "0",
    "true re-encodings dropped": "at least .97",
    "links within one original": "at least .999",
    "old 22 transforms linked": "at least .99",
}


def share(value: float) -> str:
    """A share in short: .98, 1, 0, – where there is nothing."""
    if math.isnan(value):
        return "–"
    return f"{value:.3f}".rstrip("0").rstrip(".").removeprefix("0") or "0"


def transforms(alone: Counts, crowd: Counts, others: Mapping[str, Counts]) -> None:
    """A row a transform: beside its original alone, in the crowd of all copies, and by other tools there."""
    print(
        "| transform | n | linked | dropped | should | keeper right | relation | right | why | "
        f"crowd: linked / dropped | originals lost | {' | '.join(others)} |"
    )
    print("|---|---:|---:|---:|---|---:|---|---:|---|---|---:|" + "---|" * len(others))
    for name, transform in TRANSFORMS.items():
        fates, gathered = alone.of([name]), crowd.of([name])
        if fates or gathered:
            should = {True: "yes", False: "no", None: "either"}[transform.drop]
            cells = [
                name,
                len(fates or gathered),
                *_alone(fates, should),
                _both(gathered),
                crowd.lost[name] or "",
            ]
            print(
                f"| {' | '.join(map(str, [*cells, *(_both(one.of([name])) for one in others.values())]))} |"
            )


def _alone(fates: Sequence[Fate], should: str) -> list[str]:
    return [
        share(mean(fate.linked for fate in fates)),
        share(mean(fate.dropped for fate in fates)),
        should,
        share(mean(not fate.is_worse_kept for fate in fates)),
        _commonest(fate.relation for fate in fates),
        share(mean(fate.is_right for fate in fates)),
        _commonest(fate.why for fate in fates if fate.why and fate.is_lost),
    ]


def _both(fates: Sequence[Fate]) -> str:
    return f"{share(mean(fate.linked for fate in fates))} / {share(mean(fate.dropped for fate in fates))}"


def _commonest(names: Iterable[str]) -> str:
    counts = Counter(names)
    if not counts:
        return "–"
    name, count = counts.most_common(1)[0]
    return f"{name} {share(count / counts.total())}"


def figures(alone: Counts, crowd: Counts) -> dict[str, tuple[str, str]]:
    """What is asked of a half: alone and in the crowd."""
    return {
        "originals dropped for a worse copy": (
            _of(fate.is_worse_kept for fate in alone.fates),
            _of(n < crowd.lost.total() for n in range(crowd.originals)),
        ),
        **{
            words: tuple(_of(test(fate) for fate in one.of(names)) for one in (alone, crowd))
            for words, names, test in (
                ("expressions lost", kinds("expression"), _is_drawing_lost),
                ("recolored lost", kinds("color"), _is_drawing_lost),
                ("true re-encodings dropped", true_copies(), _is_lost),
                ("all that should be dropped", _should(), _is_lost),
                ("old 22 transforms linked", OLD, _is_linked),
                ("all transforms linked", list(TRANSFORMS), _is_linked),
            )
        },
        "relation right": (_of(fate.is_right for fate in alone.fates), "–"),
        "links within one original": tuple(
            f"{one.precision:.5f} ({one.other} of {one.same + one.other} wrong)" for one in (alone, crowd)
        ),
    }


def _of(values: Iterable[float]) -> str:
    some = list(values)
    return f"{mean(some):.4f} ({sum(some)} of {len(some)})" if some else "–"


def _should() -> list[str]:
    return [one.name for one in TRANSFORMS.values() if one.drop]


def _is_drawing_lost(fate: Fate) -> bool:
    return fate.is_lost and not fate.copy.equal


def _is_lost(fate: Fate) -> bool:
    return fate.is_lost


def _is_linked(fate: Fate) -> bool:
    return fate.linked


def summary(alone: Counts, crowd: Counts) -> None:
    print("\n| figure | goal | alone | in the crowd |\n|---|---|---|---|")
    for words, (by_itself, gathered) in figures(alone, crowd).items():
        print(f"| {words} | {GOALS.get(words, '')} | {by_itself} | {gathered} |")
    print(f"\nWorse copies for which originals were dropped, in the crowd: {_list(crowd.lost)}")
    print(f"The same alone: {_list(Counter(fate.transform for fate in alone.fates if fate.is_worse_kept))}")


def _list(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "none"


def others(counts: Mapping[str, Counts]) -> None:
    _head(
        "tool",
        "linked",
        "true re-encodings dropped",
        "expressions lost",
        "links within one",
        "originals dropped",
    )
    for tool, one in counts.items():
        cells = [
            share(mean(fate.linked for fate in one.fates)),
            share(mean(fate.dropped for fate in one.of(true_copies()))),
            share(mean(fate.dropped for fate in one.of(kinds("expression")))),
            f"{one.precision:.4f}",
            f"{one.dropped} of {one.originals}",
        ]
        print(f"| {tool} | {' | '.join(cells)} |")


def _head(first: str, *names: str) -> None:
    print(f"\n| {first} | {' | '.join(names)} |\n|---|{'---:|' * len(names)}")


def mirrors(cases: Mapping[str, tuple[int, int, int] | None]) -> None:
    _head("mirrored; what tells", "pairs", "original dropped", "share", "neither dropped")
    for case, counted in cases.items():
        if counted is None:
            print(f"| {case} | – | – | – | – |")
        else:
            total, lost, both = counted
            print(f"| {case} | {total} | {lost} | {share(lost / max(1, total))} | {both} |")


def orders(outcomes: Sequence[Outcome]) -> None:
    steady = sum(one.is_one for one in outcomes)
    print(f"\nOf {len(outcomes)} pairs the same one stays in every condition: {steady}.")
    conditions = list(outcomes[0].stays) if outcomes else []
    _head("condition", "original stays", "copy", "both", "neither", "unlike `as made`")
    for name in conditions:
        counts = Counter(one.stays[name] for one in outcomes)
        unlike = sum(one.stays[name] != one.stays[conditions[0]] for one in outcomes)
        cells = [counts[word] or "" for word in ("original", "copy", "both", "neither")]
        print(f"| {name} | {' | '.join(map(str, [*cells, unlike or '']))} |")
    for one in outcomes:
        if not one.is_one:
            print(f"- {one.pair.copy.file}: {', '.join(f'{name}: {who}' for name, who in one.stays.items())}")
