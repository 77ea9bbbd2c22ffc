"""Clean: keep or reject each picture by thresholds on its columns, and name every rule that it broke. No picture is opened."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from anidata import catalog, recipe
from anidata.recipe import Amount, Count, Share
from anidata.stages import dedup
from anidata.workspace import Workspace

VERSION = 1


@dataclass(frozen=True)
class Config:
    """Which pictures are good enough; 0 (1 for a share that may not be exceeded) switches a rule off."""

    min_side: Count = 256  # px of the shorter side
    max_aspect: Amount = 4.0  # long side over short side
    max_flatness: Share = 0.953  # 1 is a single tone; .953 leaves 12 of 255 grey levels
    min_chroma: Amount = 6.0  # grey levels between the channels in the most colorful 1 %: less is monochrome
    min_sharpness: Share = 0.105  # of edges, by their width: blurred and enlarged pictures lie below
    where: str = ""  # SQL condition on the picture's columns, such as: rating in ('g','s') and list_contains(tags, '1girl')


@dataclass(frozen=True)
class Rule:
    """A picture breaks it where the SQL expression `value` lies on the wrong side of the setting."""

    reason: str
    setting: str
    value: str
    least: bool  # the setting is the least value allowed, not the most


RULES = (  # of equal margins the first is the graver
    Rule("flat", "max_flatness", "flatness", least=False),
    Rule("min_side", "min_side", "least(width, height)", least=True),
    Rule("aspect", "max_aspect", "greatest(width, height) / least(width, height)", least=False),
    Rule("monochrome", "min_chroma", "chroma", least=True),
    Rule("soft", "min_sharpness", "sharpness", least=True),
)
OFF = {"max_flatness": 1.0}  # the other rules are off at 0


def run(workspace: Workspace, config: Config) -> Counter[str]:
    """Decide again if a threshold or a column has changed; what dedup chose before is chosen anew among the survivors."""
    if is_current(workspace, config):
        return Counter()
    decided = decide(workspace, config)
    catalog.write(_path(workspace), decided, {"state": state(workspace, config)})
    dedup.decide_again(workspace)
    return Counter(decided=decided.num_rows)


def state(workspace: Workspace, config: Config) -> str:
    """Changes with anything that the decisions depend on."""
    return recipe.fingerprint(VERSION, config, catalog.state_of(workspace.folder("images"), workspace.folder("records")))


def is_current(workspace: Workspace, config: Config) -> bool:
    return catalog.made_from(_path(workspace)).get("state") == state(workspace, config)


def decide(workspace: Workspace, config: Config) -> pa.Table:
    """Key and reasons of every readable picture, the gravest (largest margin) first."""
    values = ", ".join(f"({r.value})::DOUBLE AS {r.reason}" for r in RULES)
    with catalog.Catalog(workspace) as views:
        pictures = views.select(f"SELECT key, {values} FROM _seen WHERE error IS NULL ORDER BY key")
    keys = pictures.column("key").to_pylist()
    margins = (
        np.stack([margin(pictures.column(r.reason).to_numpy(), getattr(config, r.setting), r) for r in RULES]) if keys else np.empty((0, 0))
    )
    reasons = _name(margins, len(keys))
    if config.where:
        with catalog.Sealed(workspace) as views:
            failing = views.failing(config.where)
        reasons = [[*found, "where"] if key in failing else found for key, found in zip(keys, reasons, strict=True)]
    return pa.table({"key": pa.array(keys, pa.string()), "reasons": pa.array(reasons, pa.list_(pa.string()))}, schema=catalog.CLEAN)


def margin(values: np.ndarray, threshold: float, rule: Rule) -> np.ndarray:
    """How far each value lies on the wrong side: 0 where the rule is kept or off, 1 at the worst value there is (0, 1 or no bound)."""
    if threshold == OFF.get(rule.setting, 0):
        return np.zeros(len(values))
    if rule.least:
        wrong = 1 - values / threshold
    elif rule.setting in OFF:
        wrong = (values - threshold) / (1 - threshold)
    else:
        wrong = 1 - threshold / values
    return np.maximum(wrong, 0)


def _name(margins: np.ndarray, count: int) -> list[list[str]]:
    """The names of the broken rules of each picture, by falling margin."""
    reasons: list[list[str]] = [[] for _ in range(count)]
    order = np.argsort(-margins, axis=0, kind="stable")
    for picture in np.flatnonzero((margins > 0).any(axis=0)):
        reasons[picture] = [RULES[rule].reason for rule in order[:, picture] if margins[rule, picture] > 0]
    return reasons


def _path(workspace: Workspace) -> Path:
    return workspace.folder("decisions") / "clean.parquet"
