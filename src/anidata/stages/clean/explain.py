"""Looks at clean's rules before anything is decided.

One picture's measures against them, and the cost of other thresholds.
"""

from dataclasses import asdict, dataclass, replace
from string import Template
from typing import Any

import numpy as np
import pyarrow as pa

from anidata.catalog.catalog import Catalog
from anidata.engine.job import Job
from anidata.errors import QueryError, UnknownPart
from anidata.registry import nearest
from anidata.stages.clean.config import Config
from anidata.stages.clean.rules import RULES, Rule, margin
from anidata.stages.clean.stage import columns, margins, target, values

FACTORS = (0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0)  # of the threshold; of a share's distance from 1
# shares that the thresholds of a rule that is off would reject
REJECTED = (0.002, 0.01, 0.02, 0.05, 0.1, 0.2)
NAMED = "asked IN (key, record, file)"
ASK = "List them with: anidata query WORK 'SELECT key, file FROM records'"
SEEN = "_seen WHERE error IS NULL"
ASKED = f"""
SELECT key, $columns FROM {SEEN} AND key IN (SELECT key FROM _sightings, _wanted WHERE {NAMED}) ORDER BY key
"""
FAILED = f"SELECT error FROM _told, _wanted WHERE error IS NOT NULL AND {NAMED}"


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """A picture's value against one rule; no margin where the rule is kept."""

    rule: str
    value: float | None
    setting: str
    threshold: float
    margin: float | None
    verdict: str  # kept, broken, or off


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The pictures kept and rejected at one threshold."""

    threshold: float
    kept: int
    rejected: int  # by any rule
    broken: int  # this rule
    alone: int  # this rule and no other
    present: bool


def explain(job: Job, name: str) -> dict[str, list[Weighed]]:
    """Key → every rule, the gravest broken one first, of the pictures with this key, record or file name.

    Raises: QueryError: no readable picture has it.
    """
    config: Config = job.recipe.clean
    wanted = pa.table({"asked": pa.array([name], pa.string())})
    with Catalog(job.workspace) as views:
        measured = columns(views, config, target(job))
        pictures = views.select(Template(ASKED).substitute(columns=measured), _wanted=wanted)
        failed = views.select(FAILED, _wanted=wanted).column("error").to_pylist()
    if not pictures.num_rows:
        unknown = f"{name} is no picture's key, record or file name here. {ASK}"
        raise QueryError(f"{name} failed as {failed[0]}: it has no measures." if failed else unknown)
    keys = pictures.column("key").to_pylist()
    return {key: _weigh(pictures.slice(n, 1), config) for n, key in enumerate(keys)}


def _weigh(picture: pa.Table, config: Config) -> list[Weighed]:
    rows = []
    for rule, far in zip(RULES, margins(picture, config)[:, 0].tolist(), strict=True):
        value, threshold = float(values(picture, rule)[0]), getattr(config, rule.setting)
        verdict = "broken" if far > 0 else "kept"
        rows.append(
            Weighed(
                rule=rule.reason,
                value=None if np.isnan(value) else value,
                setting=rule.setting,
                threshold=threshold,
                margin=far or None,
                verdict="off" if threshold == rule.off else verdict,
            )
        )
    return sorted(rows, key=lambda row: -(row.margin or 0))


def sweep(job: Job, name: str) -> list[Cost]:
    """The pictures kept and rejected at each of some thresholds around the present one; `where` is left out.

    Raises: UnknownPart: no such rule.
    """
    config: Config = job.recipe.clean
    rule = rule_of(name)
    lit = config
    if rule.setting == "max_outlier":  # its column costs a scan
        lit = replace(config, max_outlier=config.max_outlier or 1.0)
    with Catalog(job.workspace) as views:
        pictures = views.select(f"SELECT {columns(views, lit, target(job))} FROM {SEEN}")
    present, mine = getattr(config, rule.setting), values(pictures, rule)
    others = np.zeros(len(mine), bool)
    for other in RULES:
        if other is not rule:
            others |= margin(values(pictures, other), getattr(config, other.setting), other) > 0
    costs = []
    for threshold in _thresholds(present, rule, mine):
        broken = margin(mine, threshold, rule) > 0
        costs.append(_cost(threshold, broken, others, present))
    return costs


def _cost(threshold: float, broken: np.ndarray, others: np.ndarray, present: float) -> Cost:
    """The price of a threshold. broken, others: which pictures break the rule, and which another one."""
    rejected = int(np.count_nonzero(broken | others))
    return Cost(
        threshold=int(threshold) if isinstance(present, int) else threshold,
        kept=len(broken) - rejected,
        rejected=rejected,
        broken=int(np.count_nonzero(broken)),
        alone=int(np.count_nonzero(broken & ~others)),
        present=threshold == present,
    )


def _thresholds(present: float, rule: Rule, column: np.ndarray) -> list[float]:
    """Thresholds around the present one, from off to the strictest.

    Of a rule that is off: those that would reject some share.
    """
    known = column[~np.isnan(column)]
    tried = {rule.off}
    if present != rule.off:
        around = [1 - (1 - present) * f for f in FACTORS] if rule.share else [present * f for f in FACTORS]
        tried = {present, *(_rounded(t, whole=isinstance(present, int)) for t in around)}
    elif len(known):
        shares = REJECTED if rule.least else [1 - share for share in REJECTED]
        tried |= {_rounded(float(np.quantile(known, share)), whole=False) for share in shares}
    inside = {t for t in tried if t >= 0 and not (rule.share and t > 1)}
    return sorted(inside, key=lambda t: (t != rule.off, t if rule.least else -t))


def _rounded(threshold: float, *, whole: bool) -> float:
    return round(threshold) if whole else float(f"{threshold:.4g}")


def rule_of(name: str) -> Rule:
    """The rule of a reason or of a setting.

    Raises: UnknownPart
    """
    for rule in RULES:
        if name in (rule.reason, rule.setting):
            return rule
    reasons = [r.reason for r in RULES]
    raise UnknownPart(f"clean has no rule '{name}'.{nearest(name, reasons)} There are: {', '.join(reasons)}")


def to_json(rules: dict[str, list[Weighed]], costs: list[Cost]) -> dict[str, Any]:
    """The answers as JSON has them."""
    answers = {
        "explain": {key: [asdict(row) for row in rows] for key, rows in rules.items()},
        "sweep": [asdict(row) for row in costs],
    }
    return {name: rows for name, rows in answers.items() if rows}
