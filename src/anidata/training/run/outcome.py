"""How a training ended, as a command reports it."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anidata.engine import progress
from anidata.training.run.folder import Run
from anidata.training.run.validation import Score


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The end of a training: where, why, after how many images, and with which figures."""

    run: Path
    images: int
    reason: str  # why it ended
    already: bool  # it had ended before
    first: bool  # this is the process that reports
    seconds: float  # spent in steps, of all sessions
    waited: float  # of these, for data
    skipped: int
    scores: list[Score]
    init: str  # what of --init's weights fitted
    warnings: list[str]  # collapses, of this session

    def to_json(self) -> dict[str, Any]:
        paths = {"run": str(self.run), "weights": str(Run(self.run).weights)}
        keys = ("images", "reason", "already", "seconds", "waited", "skipped", "init", "warnings")
        scores = [_finite(score) for score in self.scores]
        return paths | {key: getattr(self, key) for key in keys} | {"scores": scores}

    def __str__(self) -> str:
        last = self.scores[-1] if self.scores else {}
        figures = ", ".join(f"{name} {value:.4g}" for name, value in last.items() if name != "images")
        lines = [f"{'nothing to do' if self.already else 'trained'}: {self.reason}", self._times()]
        lines += [f"warning: {warning}" for warning in self.warnings]
        if figures:
            lines.append(f"validation: {figures}")
        lines.append(f"weights  {Run(self.run).weights}")
        return "\n".join(lines)

    def _times(self) -> str:
        skipped = f", {self.skipped:,} steps skipped" if self.skipped else ""
        return (
            f"{self.images:,} images in {progress.duration(self.seconds)}, "
            f"{self.images / self.seconds:.1f}/s, "
            f"{self.waited / self.seconds:.0%} of the time waiting for data{skipped}"
        )


def _finite(score: Score) -> dict[str, float | None]:
    """A score for JSON, which has no nan."""
    return {name: value if math.isfinite(value) else None for name, value in score.items()}
