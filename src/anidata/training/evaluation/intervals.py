"""How sure a figure is: paired bootstrap over clusters, and over seeds where there are several.

Pictures of one cluster are no independent witnesses, so clusters are drawn, not pictures. Colorizers that are
compared have the same clusters drawn: a hard picture counts against all of them. Of a baseline that was
trained with several seeds those are drawn too: the interval is then of the recipe, not of one run.

Quantiles of few clusters lie too near to the estimate. Their distances are widened by t(df) / z, those of C
clusters by √(C / (C − 1)) before, those of S seeds by √(S / (S − 1)); df is Welch and Satterthwaite's of
both levels. test_intervals.py sees how often the intervals hold.
Source: Efron, Tibshirani 1993, "An introduction to the bootstrap", ch. 13; Field, Welsh 2007, "Bootstrapping
clustered data"; Hesterberg 2015, "What teachers should know about the bootstrap", arXiv 1411.5279, sec. 3.6
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.stats
from numpy.typing import NDArray

Values = NDArray[np.float64]  # (seeds, pictures), nan: the figure isn't defined for this picture

LEVEL = 0.95
TAIL = (1 - LEVEL) / 2
FEW = 8  # clusters, below which an interval says little
MOST = 4096  # groups that are drawn: of more clusters several go together, and memory stays flat


class Interval(NamedTuple):
    """A figure, the ends of its interval, and how many pictures it is the mean of."""

    value: float
    low: float
    high: float
    pictures: int


class Difference(NamedTuple):
    """A figure of one colorizer minus that of another, over the pictures that both have it for."""

    value: float
    low: float
    high: float
    wins: float  # share of the pictures on which the first is better; equals count half
    p: float  # two-sided, of no difference


@dataclass(frozen=True)
class Draws:
    """How often each cluster was drawn: (repetitions, clusters)."""

    counts: NDArray[np.float64]
    number: NDArray[np.int64]  # of each picture's cluster
    seed: int

    @property
    def clusters(self) -> int:
        return int(self.counts.shape[1])

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of each cluster: (pictures,) → (clusters,)."""
        sums = np.bincount(self.number, weights=values, minlength=self.clusters)
        return sums.astype(np.float64)

    def picks(self, seeds: int, salt: int) -> NDArray[np.float64]:
        """How often each of a baseline's seeds was drawn: (repetitions, seeds)."""
        return _drawn(np.random.PCG64([self.seed, 1, salt]), len(self.counts), seeds)


def draws(clusters: Sequence[str], repetitions: int, seed: int) -> Draws:
    """Draw clusters with replacement, as many as there are. clusters: the name of each picture's."""
    names, number = np.unique(np.asarray(clusters), return_inverse=True)
    groups = min(len(names), MOST)
    counts = _drawn(np.random.PCG64([seed, 0]), repetitions, groups)
    return Draws(counts, number.astype(np.int64) % groups, seed)


def interval(values: Values, chosen: Draws, salt: int = 0) -> Interval:
    """The mean over pictures and seeds with its interval; nan where no picture has the figure."""
    kept = _known(values)
    if not kept.any():
        return Interval(np.nan, np.nan, np.nan, 0)
    repeated = _clusters(values.mean(axis=0), kept, chosen)
    both = repeated.joined(_seeds(values, kept, chosen, salt))
    return Interval(repeated.estimate, *both.ends(), int(kept.sum()))


def difference(one: Values, other: Values, chosen: Draws, *, higher: bool) -> Difference:
    """One colorizer beside another. higher: whether more is better."""
    kept = _known(np.concatenate([one, other]))
    if not kept.any():
        return Difference(np.nan, np.nan, np.nan, np.nan, np.nan)
    apart = one.mean(axis=0) - other.mean(axis=0)
    repeated = _clusters(apart, kept, chosen)
    for salt, values in ((1, one), (2, other)):
        repeated = repeated.joined(_seeds(values, kept, chosen, salt))
    better = apart[kept] * (1 if higher else -1)
    wins = float(((better > 0) + 0.5 * (better == 0)).mean())
    return Difference(repeated.estimate, *repeated.ends(), wins, repeated.p())


def holm(ps: Sequence[float]) -> list[float]:
    """p-values that hold for all of them together; nan stays and doesn't count.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure"
    """
    values = np.asarray(ps, np.float64)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    stepped = values[order] * (len(order) - np.arange(len(order)))
    values[order] = np.minimum(1, np.maximum.accumulate(stepped)) if len(order) else stepped
    return [float(value) for value in values]


def _known(values: Values) -> NDArray[np.bool_]:
    """The pictures that have the figure of every seed."""
    return np.asarray(~np.isnan(values).any(axis=0), np.bool_)


def _drawn(bits: np.random.PCG64, repetitions: int, things: int) -> NDArray[np.float64]:
    """How often each of `things` comes up in as many draws, in each repetition."""
    # `random` alone is asked of numpy's generators: its stream doesn't change between versions
    generator, counts = np.random.Generator(bits), np.empty((repetitions, things))
    for row in counts:
        row[:] = np.bincount((generator.random(things) * things).astype(np.int64), minlength=things)
    return counts


def _clusters(values: NDArray[np.float64], kept: NDArray[np.bool_], chosen: Draws) -> "_Repeated":
    """The mean of the kept pictures (pictures,), repeated with other clusters."""
    weight, sums = chosen.sums(kept.astype(np.float64)), chosen.sums(np.where(kept, values, 0.0))
    whole, clusters = float(sums.sum() / weight.sum()), int((weight > 0).sum())
    drawn = chosen.counts @ weight
    # where nothing but clusters without the figure came up, nothing is known
    means = np.divide(chosen.counts @ sums, drawn, out=np.full_like(drawn, whole), where=drawn > 0)
    spread = (means - whole) * np.sqrt(clusters / max(1, clusters - 1))
    return _Repeated(whole, spread, [(float(spread.var()), max(1, clusters - 1))])


def _seeds(values: Values, kept: NDArray[np.bool_], chosen: Draws, salt: int) -> "_Repeated":
    """What other seeds would add to a mean."""
    seeds = len(values)
    if seeds == 1:
        return _Repeated(0.0, np.zeros(len(chosen.counts)), [])
    means = values[:, kept].mean(axis=1)
    shares = chosen.picks(seeds, salt) / seeds
    shifts = (shares @ (means - means.mean())) * np.sqrt(seeds / (seeds - 1))
    return _Repeated(0.0, shifts, [(float(shifts.var()), seeds - 1)])


@dataclass(frozen=True)
class _Repeated:
    """An estimate, how far from it the repetitions came, and each level's variance and degrees of freedom."""

    estimate: float
    apart: NDArray[np.float64]
    levels: list[tuple[float, int]]

    def joined(self, other: "_Repeated") -> "_Repeated":
        """With a further level, drawn independently."""
        return _Repeated(self.estimate, self.apart + other.apart, self.levels + other.levels)

    def freedom(self) -> float:
        """Degrees of freedom of all levels together."""
        variance = sum(level for level, _ in self.levels)
        below = sum(level**2 / df for level, df in self.levels)
        return variance**2 / below if below else float(self.levels[0][1])

    def factor(self) -> float:
        """By how much quantiles are moved away from the estimate."""
        return float(scipy.stats.t.ppf(1 - TAIL, self.freedom()) / scipy.stats.norm.ppf(1 - TAIL))

    def ends(self) -> tuple[float, float]:
        low, high = self.estimate + np.quantile(self.apart, [TAIL, 1 - TAIL]) * self.factor()
        return float(low), float(high)

    def p(self) -> float:
        """Of no difference, two-sided: a t-test by the repetitions' spread, finer than their number."""
        spread = float(self.apart.std())
        if not spread:
            return float(self.estimate == 0)
        return float(2 * scipy.stats.t.sf(abs(self.estimate) / spread, self.freedom()))
