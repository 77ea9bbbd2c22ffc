"""What the page knows of clean's rules: the one place to change when they do."""

from dataclasses import dataclass

from anidata.stages import clean


@dataclass(frozen=True)
class Threshold:
    """A rule that is on: a picture breaks it where its value lies on the wrong side of the limit."""

    reason: str
    setting: str
    value: str  # SQL over the columns of a picture; a measure's name where the rule looks at that alone
    limit: float
    least: bool  # the limit is the least value allowed, not the most

    @property
    def broken(self) -> str:
        """SQL: whether a picture breaks it."""
        return f"({self.value})::DOUBLE {'<' if self.least else '>'} {self.limit!r}"


def of(config: clean.Config) -> list[Threshold]:
    """The rules that are on under these settings, the graver of equals first."""
    limits = [(rule, float(getattr(config, rule.setting))) for rule in clean.RULES]
    return [
        Threshold(rule.reason, rule.setting, rule.value, limit, rule.least)
        for rule, limit in limits
        if limit != clean.OFF.get(rule.setting, 0)
    ]
