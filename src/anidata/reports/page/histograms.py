"""Histograms of the numeric columns, counted by the catalog.

A few dozen numbers are held in memory, whatever the pile.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from string import Template
from typing import Any

import pyarrow as pa

from anidata import registry
from anidata.catalog import schemas
from anidata.catalog.catalog import Catalog
from anidata.catalog.decisions import Threshold

BINS = 44  # at most, about: bars stay wider than a gap on a telephone
TAIL = 0.005  # share of the pictures at each end that may lie beyond what is drawn
FAR = 0.5  # of what is drawn: an end that lies nearer than this is drawn too
ROOM = 0.15  # of what is drawn, beyond a threshold that lies outside of it
STEPS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)  # widths of bins, times a power of ten
ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)  # distances of the numbers on an axis
SIZES = {"width": "Width in px, after orientation.", "height": "Height in px, after orientation."}
SPREAD = """
SELECT count(*) AS pictures, [min(v), max(v)] AS ends, bool_and(v = floor(v)) AS whole,
    quantile_cont(v, $shares) AS at $broken
FROM (SELECT *, ($value)::DOUBLE AS v FROM _valued WHERE error IS NULL) WHERE isfinite(v)
"""
BINNED = """
SELECT least(greatest($bin, $first - 1), $last + 1)::INTEGER AS bin, count(*) AS n,
    count(*) FILTER ($broken) AS broken
FROM (SELECT *, ($value)::DOUBLE AS v FROM _valued WHERE error IS NULL) WHERE isfinite(v) GROUP BY bin
"""


@dataclass(frozen=True)
class Bin:
    """Pictures from low to below low + step."""

    low: float
    count: int
    broken: int  # of them, on the wrong side of a threshold


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """How the pictures of a pile are spread over one value."""

    name: str  # the column's, or that of the rule that looks at a value of its own
    about: str  # a sentence; empty where there is none
    bins: list[Bin]
    step: float  # a bin's width
    pictures: int  # that have the value
    median: float
    middle: tuple[float, float]  # nine tenths of the pictures lie between these
    below: int  # pictures left of what is drawn
    above: int
    thresholds: list[tuple[Threshold, int]]  # with the number of pictures on the wrong side

    @property
    def low(self) -> float:
        return self.bins[0].low

    @property
    def high(self) -> float:
        return self.bins[-1].low + self.step


def measure(views: Catalog, rules: Sequence[Threshold]) -> list[Histogram]:
    """The histograms of each numeric measure, of width and height, and of whatever else a rule looks at.

    There is none of what no picture has.
    """
    looked_at: dict[str, list[Threshold]] = {}
    for rule in rules:
        looked_at.setdefault(rule.measure or rule.value, []).append(rule)
    values = dict.fromkeys([*_columns(), *SIZES, *looked_at])
    drawn = (_histogram(views, value, looked_at.get(value, [])) for value in values)
    return [histogram for histogram in drawn if histogram]


def nice(least: float, among: Sequence[float]) -> float:
    """The smallest of some numbers, times a power of ten, that is at least this one."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(n * power for n in among if n * power >= least * (1 - 1e-9))


def ticks(low: float, high: float, count: int = 5) -> Iterator[float]:
    """Round numbers within what is drawn, about so many."""
    step = nice((high - low) / count, ROUND)
    for n in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1):
        yield round(n * step, 12)


def _columns() -> list[str]:
    """The numeric measures."""
    types = schemas.measures().items()
    return [name for name, kind in types if pa.types.is_integer(kind) or pa.types.is_floating(kind)]


def _named(value: str, rules: Sequence[Threshold]) -> tuple[str, str]:
    """A histogram's name, and a sentence about it."""
    if value in registry.names("measures"):
        return value, registry.title(registry.load("measures", value))
    if value in schemas.measures() or value in SIZES:
        return value, SIZES.get(value, "")
    return " and ".join(rule.reason for rule in rules), f"What {rules[0].stage} looks at: {rules[0].about}"


def _histogram(views: Catalog, value: str, rules: Sequence[Threshold]) -> Histogram | None:
    spread = _spread(views, value, rules)
    if not spread["pictures"]:
        return None
    low, high = drawn(spread["ends"], *bulk(spread["at"]), [r.limit for r in rules])
    step = nice((high - low) / BINS, STEPS)
    step = float(math.ceil(step)) if spread["whole"] else step
    anchor = rules[0].limit if rules else 0.0  # a threshold is the edge of a bin
    first, last = (math.floor((end - anchor) / step) for end in (low, high))
    counts = _counts(views, value, rules, f"floor((v - {anchor!r}) / {step!r})", (first, last))
    name, about = _named(value, rules)
    return Histogram(
        name=name,
        about=about,
        bins=[Bin(anchor + n * step, *counts.get(n, (0, 0))) for n in range(first, last + 1)],
        step=step,
        pictures=spread["pictures"],
        median=spread["at"][2],
        middle=(spread["at"][1], spread["at"][3]),
        below=counts.get(first - 1, (0, 0))[0],
        above=counts.get(last + 1, (0, 0))[0],
        thresholds=[(rule, spread[f"broken_{n}"]) for n, rule in enumerate(rules)],
    )


def bulk(at: Sequence[float]) -> tuple[float, float]:
    """From where to where most pictures lie.

    at: the values below which TAIL, a twentieth, half, 19 twentieths and 1 - TAIL of them lie.

    What is farther from the middle nine tenths than these are wide belongs to a tail, too: in a small pile
    TAIL is less than a picture.
    """
    least, low, _, high, most = at
    reach = high - low
    return (max(least, low - reach), min(most, high + reach)) if reach else (least, most)


def drawn(ends: tuple[float, float], low: float, high: float, limits: Sequence[float]) -> tuple[float, float]:
    """From where to where a histogram is drawn.

    That is the bulk from low to high, the limits with some room, and the ends where they are near.
    """
    low, high = min(low, *limits, high), max(high, *limits, low)
    span = high - low or max(abs(high), 1.0) * ROOM
    near_low, near_high = ends[0] >= low - FAR * span, ends[1] <= high + FAR * span
    room_low, room_high = (ROOM * span * any(limit == end for limit in limits) for end in (low, high))
    low = min(low, ends[0] if near_low else low - room_low)
    high = max(high, ends[1] if near_high else high + room_high)
    return (low, high) if high > low else (low - span / 2, high + span / 2)


def _spread(views: Catalog, value: str, rules: Sequence[Threshold]) -> dict[str, Any]:
    """Where the values lie, and how many break each rule."""
    sql = Template(SPREAD).substitute(
        shares=f"[{TAIL}, 0.05, 0.5, 0.95, {1 - TAIL}]",
        broken="".join(f", count(*) FILTER ({rule.broken}) AS broken_{n}" for n, rule in enumerate(rules)),
        value=value,
    )
    spread: dict[str, Any] = views.select(sql).to_pylist()[0]
    return spread


def _counts(
    views: Catalog, value: str, rules: Sequence[Threshold], number: str, ends: tuple[int, int]
) -> dict[int, tuple[int, int]]:
    """The bin's number → pictures in it, and those of them that break a rule.

    What lies beyond counts beside the ends. number: SQL of the bin of a value v.
    """
    sql = Template(BINNED).substitute(
        bin=number,
        first=ends[0],
        last=ends[1],
        broken=" OR ".join(rule.broken for rule in rules) or "false",
        value=value,
    )
    return {row["bin"]: (row["n"], row["broken"]) for row in views.select(sql).to_pylist()}
