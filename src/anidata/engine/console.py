"""Rich's console, which makes whatever is foreign visible, and takes no text for markup."""

import sys
from typing import Any

from rich.console import Console
from rich.text import Text

from anidata.engine.printing import visible

WIDE = 10_000  # columns of a table that isn't shown on a terminal: nothing is folded


class VisibleConsole(Console):
    """A console on which `[bold]`, `:smile:` and a terminal's commands are only characters.

    Styles are given by Text and by a column's style.
    """

    def __init__(self, **words: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **words)

    def render_str(self, text: str, **words: Any) -> Text:
        return super().render_str(visible(text), **words)


def wide_console() -> VisibleConsole:
    """A console for tables of answers."""
    return VisibleConsole(width=None if sys.stdout.isatty() else WIDE)
