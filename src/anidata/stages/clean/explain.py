"""Looks at clean's rules before anything is decided: one picture's measures against them, and what other thresholds would cost."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from anidata.catalog import catalog
from anidata.errors import QueryError, UnknownPart
from anidata.registry import nearest
from anidata.stages.clean.rules import RULES, Rule, margin
from anidata.stages.clean.stage import Config, Target, columns, margins, values
from anidata.workspace import Workspace

FACTORS = (0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0)  # of the threshold; of a share's distance from 1
REJECTED = (
    0.002,
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
)  # shares that the thresholds of a rule that is off would reject
NAMED = "asked IN (key, record, file)"
ASK = "List them with: anidata query WORK 'SELECT key, file FROM records'"
SEEN = "_seen WHERE error IS NULL"


@dataclass(frozen=True)
class Weighed:
    """A picture's value against one rule; no margin where the rule is kept."""

    rule: str
    value: float | None
    setting: str
    threshold: float
    margin: float | None
    verdict: str  # kept, broken, or off


@dataclass(frozen=True)
class Cost:
    """What clean would do at one threshold."""

    threshold: float
    kept: int
    rejected: int  # by any rule
    broken: int  # this rule
    alone: int  # this rule and no other
    present: bool


def explain(workspace: Workspace, config: Config, target: Target, name: str) -> dict[str, list[Weighed]]:
    """Key → every rule, the gravest broken one first, of the pictures with this key, record or file name.

    Raises: QueryError: no readable picture has it.
    """
    wanted = pa.table({"asked": pa.array([name], pa.string())})
    with catalog.Catalog(workspace) as views:
        found = views.select(
            f"SELECT key, {columns(views, config, target)} FROM {SEEN} AND key IN (SELECT key FROM _sightings, _wanted WHERE {NAMED}) ORDER BY key",
            _wanted=wanted,
        )
        failed = views.select(
            f"SELECT error FROM _told, _wanted WHERE error IS NOT NULL AND {NAMED}", _wanted=wanted
        )
    if not found.num_rows:
        known = failed.column("error").to_pylist()
        raise QueryError(
            f"{name} failed as {known[0]}: it has no measures."
            if known
            else f"{name} is no picture's key, record or file name here. {ASK}"
        )
    return {key: _weigh(found.slice(n, 1), config) for n, key in enumerate(found.column("key").to_pylist())}


def _weigh(picture: pa.Table, config: Config) -> list[Weighed]:
    rows = []
    for rule, far in zip(RULES, margins(picture, config)[:, 0].tolist(), strict=True):
        value, threshold = float(values(picture, rule)[0]), getattr(config, rule.setting)
        verdict = "off" if threshold == rule.off else "broken" if far > 0 else "kept"
        rows.append(
            Weighed(
                rule.reason, None if np.isnan(value) else value, rule.setting, threshold, far or None, verdict
            )
        )
    return sorted(rows, key=lambda row: -(row.margin or 0))


def sweep(workspace: Workspace, config: Config, target: Target, name: str) -> list[Cost]:
    """What clean would keep and reject at thresholds around the present one; `where` is left out.

    Raises: UnknownPart: no such rule.
    """
    rule = rule_of(name)
    lit = (
        replace(config, max_outlier=config.max_outlier or 1.0) if rule.setting == "max_outlier" else config
    )  # its column costs a scan
    with catalog.Catalog(workspace) as views:
        pictures = views.select(f"SELECT {columns(views, lit, target)} FROM {SEEN}")
    present, mine = getattr(config, rule.setting), values(pictures, rule)
    others = np.zeros(len(mine), bool)
    for other in RULES:
        if other is not rule:
            others |= margin(values(pictures, other), getattr(config, other.setting), other) > 0
    whole = isinstance(present, int)
    found = []
    for threshold in _thresholds(present, rule, mine):
        broken = margin(mine, threshold, rule) > 0
        rejected = int(np.count_nonzero(broken | others))
        alone = int(np.count_nonzero(broken & ~others))
        shown = int(threshold) if whole else threshold
        found.append(
            Cost(
                shown,
                len(mine) - rejected,
                rejected,
                int(np.count_nonzero(broken)),
                alone,
                threshold == present,
            )
        )
    return found


def _thresholds(present: float, rule: Rule, found: np.ndarray) -> list[float]:
    """Around the present one, from off to the strictest; of a rule that is off, those that would reject some share."""
    known = found[~np.isnan(found)]
    if present != rule.off:
        around = [1 - (1 - present) * f for f in FACTORS] if rule.share else [present * f for f in FACTORS]
        tried = {present, *(round(t) if isinstance(present, int) else float(f"{t:.4g}") for t in around)}
    elif len(known):
        tried = {
            rule.off,
            *(float(f"{np.quantile(known, s if rule.least else 1 - s):.4g}") for s in REJECTED),
        }
    else:
        tried = {rule.off}
    inside = {t for t in tried if t >= 0 and not (rule.share and t > 1)}
    return sorted(inside, key=lambda t: (t != rule.off, t if rule.least else -t))


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
    """What was looked at, as JSON has it."""
    found = {
        "explain": {key: [asdict(row) for row in rows] for key, rows in rules.items()},
        "sweep": [asdict(row) for row in costs],
    }
    return {name: rows for name, rows in found.items() if rows}
