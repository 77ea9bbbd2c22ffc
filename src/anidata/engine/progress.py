"""How far a stage has come, on stderr: a bar on a terminal, a line now and then elsewhere.

Never on stdout.
"""

import os
import sys
import time
from collections.abc import Callable
from typing import Protocol, TextIO

from anidata.engine import printing

LINE_SECONDS = 10.0  # between two plain lines: a night's log stays readable
QUIET = "ANIDATA_QUIET"  # environment: set to anything, nothing is shown


class Display(Protocol):
    """Shows how many are done. A note is a sentence that stays; close shows the end's state."""

    def update(self, done: int) -> None: ...
    def note(self, text: str) -> None: ...
    def close(self) -> None: ...


def display(label: str, total: int, unit: str = "pictures") -> Display:
    """The display that suits stderr; none where there is no label. `total` 0: unknown."""
    if not label or os.environ.get(QUIET):
        return Silent()
    return Bar(label, total, unit) if sys.stderr.isatty() else Lines(label, total, unit)


def say(text: str) -> None:
    """A sentence that people have to know, whatever is shown of progress."""
    printing.err(text)


def count(done: int, total: int, unit: str) -> str:
    """'1,024 of 40,000 pictures'."""
    return f"{done:,} of {total:,} {unit}" if total else f"{done:,} {unit}"


def described(done: int, total: int, seconds: float, unit: str) -> str:
    """'1,024 of 40,000 pictures, 210/s, 3 min left', `seconds` after the start."""
    words = [count(done, total, unit)]
    if done and seconds > 0:
        words.append(_rate(done / seconds))
        if total > done:
            words.append(f"{duration((total - done) * seconds / done)} left")
    return ", ".join(words)


def duration(seconds: float) -> str:
    """'40 s', '3 min', '2 h 10 min'."""
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _rate(rate: float) -> str:
    if rate < 1:
        return f"{rate * 60:.1f}/min"
    return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"


class Silent:
    def update(self, done: int) -> None:
        pass

    def note(self, text: str) -> None:
        pass

    def close(self) -> None:
        pass


class Lines:
    """A plain line every ten seconds at most, and one at the end."""

    def __init__(
        self,
        label: str,
        total: int,
        unit: str,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._label, self._total, self._unit = label, total, unit
        self._stream, self._clock = stream or sys.stderr, clock
        self._begun = self._shown = clock()
        self._done = 0

    def update(self, done: int) -> None:
        self._done = done
        if self._clock() - self._shown >= LINE_SECONDS:
            self._shown = self._clock()
            self._line()

    def note(self, text: str) -> None:
        printing.line(f"{self._label}: {text}", self._stream)

    def close(self) -> None:
        self._line()

    def _line(self) -> None:
        self.note(described(self._done, self._total, self._clock() - self._begun, self._unit))


class Bar:
    """A bar on the terminal, with the same words beside it."""

    def __init__(
        self,
        label: str,
        total: int,
        unit: str,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # a tenth of a second, needed on terminals only
        from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415

        from anidata.engine.console import VisibleConsole  # noqa: PLC0415

        self._label, self._total, self._unit, self._clock = label, total, unit, clock
        self._begun, self._done = clock(), 0
        console = VisibleConsole(file=stream or sys.stderr, force_terminal=True)
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[words]}", markup=False),
        )
        # stdout carries results: rich would send it to stderr.
        self._bars = Progress(*columns, console=console, redirect_stdout=False)
        self._task = self._bars.add_task(label, total=total or None, words="")
        self._bars.start()

    def update(self, done: int) -> None:
        self._done = done
        self._bars.update(
            self._task,
            completed=done,
            words=described(done, self._total, self._clock() - self._begun, self._unit),
        )

    def note(self, text: str) -> None:
        self._bars.console.print(f"{self._label}: {text}")

    def close(self) -> None:
        self.update(self._done)
        self._bars.stop()
