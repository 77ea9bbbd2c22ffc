"""Patterns of other people's files, with * and $ as in robots.txt, matched in linear time.

No regular expression is made of them: each part between two stars is looked for once, from the left.
"""

import time
from dataclasses import dataclass
from typing import Self

from anidata.fetch import FetchError

STARS = 50  # of one pattern; what stands behind is left out, so that it speaks of more paths
LONGEST = 2048  # characters of one pattern, likewise
RULES = 10_000  # of one file
TIME = 0.25  # seconds in which all rules of one authority have spoken of one URL
STRIDE = 64  # rules between two looks at the clock


@dataclass(frozen=True, slots=True)
class Pattern:
    """The beginning of a path, or all of it where the pattern ends with $."""

    parts: tuple[str, ...]  # between the stars
    is_whole: bool  # whether the path ends where the pattern does
    is_cut: bool = False  # whether there is more of it than is heeded

    @classmethod
    def of(cls, text: str) -> Self:
        """The pattern that a rule has: one that is too long is cut, and so matches more."""
        parts = text[:LONGEST].removesuffix("$").split("*", STARS + 1)
        is_cut = len(text) > LONGEST or len(parts) > STARS + 1
        return cls(tuple(parts[: STARS + 1]), text.endswith("$") and not is_cut, is_cut)

    def matches(self, path: str) -> bool:
        first, *others = self.parts
        if not path.startswith(first):
            return False
        if not others:
            return not self.is_whole or len(path) == len(first)
        position = len(first)
        last = others.pop() if self.is_whole else ""
        for part in others:
            position = path.find(part, position)
            if position < 0:
                return False
            position += len(part)
        return path.endswith(last) and len(path) - len(last) >= position


class Watch:
    """The time that rules take for one URL."""

    def __init__(self) -> None:
        self._end, self._count = time.perf_counter() + TIME, 0

    def tick(self) -> None:
        """Count a rule. Raises: FetchError: `robots`: they take too long to tell what is allowed."""
        self._count += 1
        if self._count % STRIDE == 0 and time.perf_counter() > self._end:
            raise FetchError("robots", f"its host's rules take more than {TIME:g} s for one URL")
