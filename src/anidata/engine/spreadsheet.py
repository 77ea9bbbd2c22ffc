r"""Cells of CSV that no spreadsheet runs and no terminal obeys, and back.

A text that begins with one of = + - @, a tab or a line end, or with quotes before one of these, gets a single
quote before it, for a spreadsheet would take it for a formula; numbers stay numbers. A text with characters
that can't be seen has them as \x1b, \u202e and so on, and its backslashes doubled. Line feeds stay within the
quotes of CSV. `value` is the inverse.
"""

import re

from anidata.engine.printing import escaped

RUN = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")  # the wide forms too
ESCAPE = re.compile(r"\\(\\|[nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
KEPT = " \n\t\u3000\u00a0"
SHORT = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}


def cell(text: str) -> str:
    """A text as a cell."""
    if not text.isprintable() or "\\" in text:
        text = _escaped(text)
    return f"'{text}" if RUN.match(text) else text


def value(cell: str) -> str:
    """The text that a cell was made of."""
    text = cell[1:] if cell.startswith("'") and RUN.match(cell) else cell
    return ESCAPE.sub(lambda match: _unescaped(match[1]), text)


def _escaped(text: str) -> str:
    is_plain = all(c.isprintable() or c in KEPT for c in text)
    if is_plain and not ESCAPE.search(text):
        return text
    text = text.replace("\\", "\\\\")
    return "".join(c if c.isprintable() or c in KEPT else escaped(c) for c in text)


def _unescaped(code: str) -> str:
    return SHORT[code] if code in SHORT else chr(int(code[1:], 16))
