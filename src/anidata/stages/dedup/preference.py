"""dedup.prefer: whose copies stay where pixels don't tell, by patterns over path and source.

A pattern is `PATH`, or `KIND:PATH` for the sources of one kind. In a path * stands for anything, / too; it
begins at the name of the source's own folder, archive or host, or at any folder below.
"""

from collections.abc import Sequence
from typing import NamedTuple

from anidata import registry
from anidata.errors import RecipeError
from anidata.fetch.patterns import LONGEST, STARS, Pattern
from anidata.storage import decode, readable

MOST = 100  # patterns: one that matches nothing is held against each sighting
MARKS = 3  # characters that are put around a pattern
EXAMPLE = 'such as prefer = ["originals/*", "gallery:danbooru.donmai.us/*"]'


class Preferred(NamedTuple):
    """A pattern, as it is held against paths."""

    kind: str  # of the source; empty: any
    pattern: Pattern

    def matches(self, kind: str, path: str) -> bool:
        """path: with a slash before it."""
        return self.kind in ("", kind) and self.pattern.matches(path)


def check(patterns: Sequence[str]) -> None:
    """Raises: RecipeError: a pattern can match nothing, or is longer than any need be."""
    if len(patterns) > MOST:
        raise RecipeError(f"[dedup] prefer: {len(patterns):,} patterns; the limit is {MOST:,}.")
    for text in patterns:
        _, path = _parted(text)
        if len(text) > LONGEST - MARKS or text.count("*") >= STARS:
            raise RecipeError(
                f"[dedup] prefer: '{text[:60]}…' is longer than {LONGEST - MARKS:,} characters, "
                f"or has {STARS} stars or more."
            )
        if not path or path.startswith("/"):
            raise RecipeError(
                f"[dedup] prefer: '{text}': paths begin at the name of the source's own folder, {EXAMPLE}."
            )


def parsed(text: str) -> Preferred:
    """A pattern of dedup.prefer."""
    kind, path = _parted(text)
    return Preferred(kind, Pattern.of(f"*/{path}$"))


def path_of(root: str, name: str) -> str:
    """The path that patterns are held against, of a sighting's root and name.

    It begins with a slash and the name of the source's own folder or archive, or with a URL.
    """
    own = "" if root.endswith(":") else root.rstrip("/").rpartition("/")[2]
    return readable(decode(f"/{own}/{name}" if own else f"/{name}"))


def _parted(text: str) -> tuple[str, str]:
    kind, colon, path = text.partition(":")
    return (kind, path) if colon and kind in registry.names("sources") else ("", text)
