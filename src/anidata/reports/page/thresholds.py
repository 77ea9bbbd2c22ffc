"""What the page knows of clean and its rules: the one place to change when they do."""

import re
from dataclasses import dataclass

from anidata import pipeline
from anidata.catalog import schemas
from anidata.catalog.catalog import Catalog
from anidata.pipeline import Recipe
from anidata.stages.clean import stage as clean
from anidata.stages.clean.rules import RULES
from anidata.workspace import Workspace

COLUMN = re.compile(
    r"(?:CASE WHEN .+ THEN )?(\w+)(?: END)?"
)  # of the measure that a rule looks at, if only of some pictures


@dataclass(frozen=True)
class Threshold:
    """A rule that is on: a picture breaks it where its value lies on the wrong side of the limit."""

    reason: str
    setting: str
    told: str  # what it looks at, as the rule has it: a measure's name, or an expression
    value: str  # SQL of that over the columns of a picture
    limit: float
    least: bool  # the limit is the least value allowed, not the most

    @property
    def broken(self) -> str:
        """SQL: whether a picture breaks it; null where it has no value."""
        return f"({self.value})::DOUBLE {'<' if self.least else '>'} {self.limit!r}"

    @property
    def measure(self) -> str:
        """The measure that it looks at, or nothing where that is no single one."""
        found = COLUMN.fullmatch(self.value)
        return found[1] if found and found[1] in (*schemas.measures(), "width", "height") else ""


def of(views: Catalog, recipe: Recipe) -> list[Threshold]:
    """The rules that are on in a recipe, in clean's own order."""
    values = clean.expressions(views, recipe.clean, pipeline.target(recipe))
    limits = {rule.reason: float(getattr(recipe.clean, rule.setting)) for rule in RULES}
    return [
        Threshold(
            rule.reason,
            rule.setting,
            rule.value.removeprefix("$"),
            values[rule.reason],
            limits[rule.reason],
            rule.least,
        )
        for rule in RULES
        if limits[rule.reason] != rule.off
    ]


def is_current(workspace: Workspace, recipe: Recipe) -> bool:
    """Whether clean has decided by this recipe."""
    return clean.is_current(workspace, recipe.clean, pipeline.target(recipe))
