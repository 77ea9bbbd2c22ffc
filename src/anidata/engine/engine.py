"""Maps a function over parts in worker processes: isolation, limits, back-pressure, progress, Ctrl-C.

    with Engine(workers=4) as engine:
        for part, result in engine.map(ingest_part, parts, label="ingest", total=40_000): ...

where `ingest_part(part, watch)` walks its items by `for item, failure in watch.each(part): ...`. A worker holds one part at a
time. One that dies or overstays takes nothing with it: its part is run again by a fresh worker, and an item that was in hand
at two deaths comes back as a Failure, for the function to write down. Results never depend on the number of workers.
"""

import os
import pickle
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import connection
from types import FrameType, TracebackType
from typing import Any, Generic, Self, TypeVar

from anidata.engine import progress
from anidata.engine.pool import Pool, Worker, tail
from anidata.engine.worker import Failure, Limits, Task, Watch
from anidata.errors import Interrupted, WorkerError

__all__ = ["Engine", "Failure", "Limits", "Watch", "processors"]

P = TypeVar("P")
R = TypeVar("R")

TICK = 0.2  # seconds at most between looks at the boards: how late a time limit strikes, and how often the display moves
STRIKES = 2  # deaths with the same item in hand that make it a Failure; one may be the machine's fault
KILLS = 3  # the same where it was killed from outside, as by a system short of memory: that is more often another's fault
MOST_LOST = 4  # deaths of one part's workers in a row that convict no item


def processors() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


@dataclass(eq=False)
class _Part(Generic[P]):
    """A part and its history."""

    value: P
    known: dict[int, Failure] = field(default_factory=dict)
    strikes: Counter[int] = field(default_factory=Counter)
    lost: int = 0  # deaths in a row that convicted no item


class Engine:
    """A pool of workers, started when first needed and kept for the next map. `workers` 0: one for each processor."""

    def __init__(self, workers: int = 0) -> None:
        self.workers = workers or processors()
        self._pool, self._idle = Pool(), list[Worker]()
        self._under_way = (
            ExitStack()
        )  # what a map must undo, here so that `close` can, even where a traceback keeps the map alive
        self._mapping = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the workers, at once, and what is left of a map."""
        self._under_way.close()
        self._idle.clear()
        self._pool.close()

    def map(
        self,
        function: Callable[[P, Watch], R],
        parts: Iterable[P],
        *,
        limits: Limits = Limits(),  # noqa: B008  frozen
        label: str = "",
        total: int = 0,
        unit: str = "pictures",
    ) -> Iterator[tuple[P, R]]:
        """Yield (part, result) as they are finished, in no promised order. Parts are taken from the iterator when a worker is free.

        function: of a module's top level (or a functools.partial of one); walks its part once by `Watch.each`.
        total: items in all parts, for the display; 0: unknown. Without a label nothing is shown.

        Ctrl-C once: parts in flight are finished and yielded, then Interrupted is raised; twice: at once.
        Raises: Interrupted. WorkerError: workers can't be started, or die whatever they are given. What the function raises.
        """
        _check(function)
        if self._mapping:
            raise RuntimeError("an engine runs one map at a time: finish or close the first")
        self._under_way = stack = ExitStack()
        with stack:
            stack.callback(self._ended)
            self._mapping = True
            run = _Run(self._pool, self._idle, self.workers, function, iter(parts), limits)
            stack.callback(run.stop)
            presses = stack.enter_context(_ctrl_c(label or "the run"))
            display = stack.enter_context(closing(progress.display(label, total, unit)))
            yield from _shown(run, presses, display)
        if presses:
            raise Interrupted(
                f"{label or 'the run'} stopped: {progress.count(run.done, total, unit)} are done. The same command goes on."
            )

    def _ended(self) -> None:
        self._mapping = False


def _shown(run: "_Run[P, R]", presses: list[int], display: progress.Display) -> Iterator[tuple[P, R]]:
    """Step until nothing is left, or, after a Ctrl-C, until nothing is in flight."""
    told = False
    while run.step(more=not presses):
        display.update(run.done)
        if presses and not told:
            told = True
            display.note(f"finishing {len(run.busy)} parts in flight; Ctrl-C again stops at once")
        yield from run.finished()
    display.update(run.done)


class _Run(Generic[P, R]):
    """One map under way."""

    def __init__(
        self,
        pool: Pool,
        idle: list[Worker],
        workers: int,
        function: Callable[[P, Watch], R],
        parts: Iterator[P],
        limits: Limits,
    ) -> None:
        self._pool, self._idle, self._workers = pool, idle, workers
        self._function, self._parts, self._limits = function, map(_Part, parts), limits
        self._again: list[_Part[P]] = []
        self._ready: list[tuple[P, R]] = []
        self._late: set[Worker] = set()  # killed for their item's time
        self._tick = min(TICK, limits.seconds / 2 or TICK)
        self._counted = 0
        self.busy: dict[Worker, _Part[P]] = {}

    @property
    def done(self) -> int:
        """Items finished, those of parts in flight included."""
        return self._counted + sum(worker.board.done for worker in self.busy)

    def step(self, *, more: bool) -> bool:
        """Hand out parts while `more` are wanted, wait a moment for answers; False when nothing was left to wait for."""
        if more:
            self._hand_out()
        if not self.busy:
            return False
        lines = {worker.line: worker for worker in self.busy}
        for line in connection.wait(list(lines), self._tick):
            self._collect(lines[line])  # type: ignore[index]  # wait gives back what it was given
        self._enforce()
        if more:
            self._hand_out()  # before the caller takes its time over the results
        return True

    def finished(self) -> Iterator[tuple[P, R]]:
        while self._ready:
            yield self._ready.pop(0)

    def stop(self) -> None:
        """Drop what is in flight. The whole pool goes: an exception may have struck anywhere, and a new one starts when needed."""
        if self.busy:
            self.busy.clear()
            self._idle.clear()
            self._pool.close()

    def _hand_out(self) -> None:
        while len(self.busy) < self._workers:
            part = self._again.pop() if self._again else next(self._parts, None)
            if part is None:
                return
            message = pickle.dumps(
                Task(self._function, part.value, self._limits, part.known), pickle.HIGHEST_PROTOCOL
            )
            worker = self._free_worker()
            self.busy[worker] = part
            worker.give(message)

    def _free_worker(self) -> Worker:
        while self._idle:
            worker = self._idle.pop()
            if not worker.line.poll():  # an idle worker has nothing to say: this would be its line's end
                return worker
            self._pool.end(worker)
        return self._pool.start(_bare(self._function).__module__)

    def _collect(self, worker: Worker) -> None:
        """Take a worker's answer, or note its death."""
        try:
            answer = worker.line.recv_bytes()
        except (EOFError, OSError):
            self._bury(worker)
            return
        part = self.busy.pop(worker)
        self._idle.append(worker)
        self._counted += worker.board.done
        well, value = pickle.loads(answer)  # noqa: S301  the other end is this program
        if not well:
            raise value
        self._ready.append((part.value, value))

    def _enforce(self) -> None:
        """Kill the workers whose item has been in hand for too long; their line's end tells the rest."""
        for worker in self.busy:
            if self._overdue(worker):
                self._late.add(worker)
                worker.kill()

    def _overdue(self, worker: Worker) -> bool:
        since = worker.board.since
        return (
            bool(self._limits.seconds and since) and time.monotonic_ns() - since > self._limits.seconds * 1e9
        )

    def _bury(self, worker: Worker) -> None:
        """Find out what a worker died of, and put its part back."""
        part, place, in_hand = self.busy.pop(worker), worker.board.done, worker.board.since > 0
        code, late = self._pool.end(worker), worker in self._late
        part.lost += 1
        if in_hand:
            part.strikes[place] += 1
        if in_hand and part.strikes[place] >= (KILLS if _is_kill(code) and not late else STRIKES):
            part.known[place] = self._failure(code, late=late)
            part.lost = 0
        if part.lost == MOST_LOST:
            raise WorkerError(
                f"{part.lost} workers in a row have died ({_cause(code)}), and not of one picture. {tail(worker.log)}"
                "Give them more room (fewer --workers, a smaller memory limit) and run the same command again."
            )
        worker.log.close()
        self._again.append(part)

    def _failure(self, code: int, *, late: bool) -> Failure:
        if late:
            return Failure("timeout", f"took longer than {self._limits.seconds:g} s, twice")
        if _is_kill(code):
            return Failure(
                "killed",
                f"its worker was killed from outside, {KILLS} times: the machine may be short of memory",
            )
        return Failure("crashed", f"ended its worker twice ({_cause(code)})")


def _is_kill(code: int) -> bool:
    return code == -signal.SIGKILL


def _cause(code: int) -> str:
    """'SIGSEGV', 'exit code 3'."""
    return signal.Signals(-code).name if code < 0 and -code in set(signal.Signals) else f"exit code {code}"


def _bare(function: Callable[..., Any]) -> Callable[..., Any]:
    return _bare(function.func) if isinstance(function, partial) else function


def _check(function: Callable[..., Any]) -> None:
    """Raises: WorkerError: workers couldn't find the function, since they don't run the user's script."""
    function = _bare(function)
    if function.__module__ == "__main__":
        raise WorkerError(
            f"'{getattr(function, '__qualname__', function)}' is defined in the script or notebook itself, which workers never run. "
            "Put it into a .py file of its own and import it from there."
        )


@contextmanager
def _ctrl_c(label: str) -> Iterator[list[int]]:
    """A list that grows with the first Ctrl-C; the second raises Interrupted wherever the main thread is."""
    presses: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        presses.append(number)
        if len(presses) > 1:
            signal.signal(signal.SIGINT, previous)
            raise Interrupted(
                f"{label} stopped at once; parts in flight are dropped. The same command goes on."
            )

    previous = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or previous in (None, signal.SIG_IGN):
        yield presses  # handlers belong to the main thread; None: not Python's to restore; ignored: started in the background
        return
    signal.signal(signal.SIGINT, handle)
    try:
        yield presses
    finally:
        signal.signal(signal.SIGINT, previous)
