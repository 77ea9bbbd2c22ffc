r"""The one place that prints. What is foreign can do nothing to a terminal: it is made visible here.

Names, URLs, tags and messages may hold a terminal's commands, line ends, marks that turn the direction of
writing, or characters without any width. `out` and `err` write them as \x1b, \u202e and so on, wherever
stdout leads; JSON has the same as escapes of its own.
"""

import json
import re
import sys
import traceback
from types import TracebackType
from typing import Any, TextIO

# Whatever has no glyph of its own: control, format, surrogate, private and unassigned characters, separators
KEPT = " \u3000\u00a0"  # spaces that people type
JSON_ESCAPED = re.compile(
    r"[\x7f-\x9f\xad\u0600-\u0605\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
    r"|[\ud800-\udfff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


def visible(text: str, *, lines: bool = False) -> str:
    r"""A text whose every character can be seen: \x1b for the others. lines: \n and \t stay what they are."""
    if text.isprintable():
        return text
    kept = KEPT + "\n\t" if lines else KEPT
    return "".join(c if c.isprintable() or c in kept else escaped(c) for c in text)


def escaped(character: str) -> str:
    r"""A character as \xNN, \uNNNN or \UNNNNNNNN; a line end as \n."""
    number = ord(character)
    if character in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[character]
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def out(text: object, *, lines: bool = False) -> None:
    """A line of results; lines: it has several."""
    _write(visible(str(text), lines=lines), sys.stdout)


def err(text: object) -> None:
    """A line of progress, or a note."""
    _write(visible(str(text)), sys.stderr)


def line(text: str, stream: TextIO) -> None:
    """A line to some stream."""
    _write(visible(text), stream)


def raw(text: str) -> None:
    """Text on stdout as it is: of a form that has escapes of its own."""
    sys.stdout.write(text)


def out_json(value: Any) -> None:
    """A value as one line of JSON on stdout."""
    is_utf8 = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"
    text = json.dumps(value, ensure_ascii=not is_utf8)
    raw(json_visible(text) + "\n")


def json_visible(text: str) -> str:
    """JSON whose every character can be seen, and encoded: escapes of its own for the others."""
    return JSON_ESCAPED.sub(lambda match: json.dumps(match[0])[1:-1], text)


def show_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Python's own word on an error that nobody expected, made visible: a hook for `sys.excepthook`."""
    text = "".join(traceback.format_exception(kind, error, trace))
    _write(visible(text.rstrip("\n"), lines=True), sys.stderr)


def make_safe() -> None:
    """Have this process's streams and hooks keep to what can be seen, whatever their encoding."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.excepthook = show_exception


def _write(text: str, stream: TextIO) -> None:
    print(text, file=stream, flush=stream is not sys.stdout)
