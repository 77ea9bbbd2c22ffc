"""Decisions about pictures: the tables in WORK/decisions, as the stages declare them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pyarrow as pa

from anidata import registry
from anidata.catalog import schemas
from anidata.workspace import Workspace

# The column of the measure that a rule looks at, if only of some pictures.
COLUMN = re.compile(r"(?:CASE WHEN .+ THEN )?(\w+)(?: END)?")
# The columns that each has; the gravest reason first.
REASONS = [("key", pa.string()), ("reasons", pa.list_(pa.string()))]


@dataclass(frozen=True)
class Decision:
    """A stage's table of decisions, by picture.

    Its columns are `key`, `reasons` (none: it is kept), perhaps `message`, and what else the stage says of a
    picture: that is a column of the views `records` and `images` then.
    """

    name: str  # of the table, and of its file
    schema: pa.Schema
    reasons: tuple[str, ...]  # why it may reject a picture
    whole: bool = True  # it has a row for each readable picture, not for those alone that it rejects

    @property
    def columns(self) -> list[str]:
        """The columns that say more of a picture than whether it is kept, and why not."""
        return [name for name in self.schema.names if name not in ("key", "reasons", "message")]

    def path(self, workspace: Workspace) -> Path:
        return workspace.folder("decisions") / f"{self.name}.parquet"


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A rule that is on: a picture breaks it where its value lies on the wrong side of the limit."""

    stage: str  # its table in recipes
    reason: str
    setting: str
    about: str  # what it looks at, as the rule has it: a measure's name, or an expression
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
        match = COLUMN.fullmatch(self.value)
        return match[1] if match and match[1] in (*schemas.measures(), "width", "height") else ""


@cache
def decisions(*, before: str | None = None) -> tuple[Decision, ...]:
    """The decisions of the stages, in their order; only of the stages before one of them."""
    return tuple(_declared(before))


def _declared(before: str | None) -> Iterator[Decision]:
    yield from (stage.DECISION for stage in registry.stages(before=before) if hasattr(stage, "DECISION"))


def paths(workspace: Workspace, *, before: str) -> list[Path]:
    """The tables that a stage may build on."""
    return [decision.path(workspace) for decision in decisions(before=before)]
