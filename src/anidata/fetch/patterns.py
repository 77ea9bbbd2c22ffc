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
PATIENCE = 5.0  # seconds in which they have spoken of all its URLs,
EACH = 0.002  # and of each one so many more
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
    """The time that one authority's rules take: of this thread, so that a busy machine costs them nothing.

    `with watch:` stands for one URL.
    """

    def __init__(self) -> None:
        self._begun, self._rules = time.thread_time(), 0
        self._urls, self._spent = 0, 0.0

    def __enter__(self) -> None:
        """Raises: FetchError: `robots`: they have taken too long for the URLs before."""
        self._urls += 1
        if self._spent > PATIENCE + self._urls * EACH:
            raise FetchError("robots", f"its host's rules have taken more than {PATIENCE:g} s")
        self._begun, self._rules = time.thread_time(), 0

    def __exit__(self, *_: object) -> None:
        self._spent += time.thread_time() - self._begun

    def tick(self) -> None:
        """Count a rule. Raises: FetchError: `robots`: they take too long to tell what is allowed."""
        self._rules += 1
        if self._rules % STRIDE == 0 and time.thread_time() - self._begun > TIME:
            raise FetchError("robots", f"its host's rules take more than {TIME:g} s for one URL")
