"""Maps a function over parts in worker processes: isolation, limits, back-pressure, progress, Ctrl-C.

    with Engine(workers=4) as engine:
        for part, result in engine.map(ingest_part, parts, label="ingest", total=40_000): ...

where `ingest_part(part, watch)` walks its items by `for item, failure in watch.each(part): ...`. A worker
holds one part at a time. One that dies or overstays takes nothing with it: its part is run again by a fresh
worker, and an item that was in hand at two deaths comes back as a Failure, for the function to write down.
Results never depend on the number of workers.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

from anidata.engine import progress
from anidata.engine.limited import Streams
from anidata.engine.ongoing import OngoingMap, unwrapped
from anidata.engine.pool import Pool, Worker
from anidata.engine.worker import Failure, Limits, Watch
from anidata.errors import Interrupted, WorkerError

__all__ = ["Engine", "Failure", "Limits", "Watch", "processors"]

P = TypeVar("P")
R = TypeVar("R")


def processors() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


class Engine:
    """A pool of workers, started when first needed and kept for the next map.

    `workers` 0: one for each processor.
    """

    def __init__(self, workers: int = 0) -> None:
        self.workers = workers or processors()
        self._pool, self._idle = Pool(), list[Worker]()
        # What a map must undo: here so that `close` can, even where a traceback keeps the map alive.
        self._under_way = ExitStack()
        self._is_mapping = False

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
        """Yield (part, result) as they are finished, in no promised order.

        Parts are taken from the iterator when a worker is free.

        function: of a module's top level (or a functools.partial of one); walks its part once by
        `Watch.each`.
        total: items in all parts, for the display; 0: unknown. Without a label nothing is shown.

        Ctrl-C once: parts in flight are finished and yielded, then Interrupted is raised; twice: at once.
        Raises: Interrupted. WorkerError: workers can't be started, or die whatever they are given. What the
        function raises.
        """
        _check_importable(function)
        if self._is_mapping:
            raise RuntimeError("an engine runs one map at a time: finish or close the first")
        self._under_way = stack = ExitStack()
        with stack:
            stack.callback(self._end_mapping)
            self._is_mapping = True
            ongoing = self._ongoing(function, parts, limits)
            stack.callback(ongoing.stop)
            presses = stack.enter_context(_ctrl_c(label or "the run"))
            display = stack.enter_context(closing(progress.display(label, total, unit)))
            yield from _displayed(ongoing, presses, display)
        if presses:
            done = progress.count(ongoing.done, total, unit)
            raise Interrupted(f"{label or 'the run'} stopped: {done} are done. The same command goes on.")

    def streams(self, warm: str) -> Streams:
        """Workers that walk what others wrote; the module that later maps need is imported once for both."""
        return Streams(self._pool, warm)

    def _ongoing(
        self, function: Callable[[P, Watch], R], parts: Iterable[P], limits: Limits
    ) -> OngoingMap[P, R]:
        return OngoingMap(
            pool=self._pool,
            idle=self._idle,
            workers=self.workers,
            function=function,
            parts=iter(parts),
            limits=limits,
        )

    def _end_mapping(self) -> None:
        self._is_mapping = False


def _displayed(
    ongoing: OngoingMap[P, R], presses: list[int], display: progress.Display
) -> Iterator[tuple[P, R]]:
    """Step until nothing is left, or, after a Ctrl-C, until nothing is in flight."""
    is_noted = False
    while ongoing.step(more=not presses):
        display.update(ongoing.done)
        if presses and not is_noted:
            is_noted = True
            display.note(f"finishing {len(ongoing.busy)} parts in flight; Ctrl-C again stops at once")
        yield from ongoing.finished()
    display.update(ongoing.done)


def _check_importable(function: Callable[..., Any]) -> None:
    """Raises: WorkerError: workers couldn't find the function, since they don't run the user's script."""
    function = unwrapped(function)
    if function.__module__ == "__main__":
        name = getattr(function, "__qualname__", function)
        raise WorkerError(
            f"'{name}' is defined in the script or notebook itself, which workers never run. "
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
    # Handlers belong to the main thread. None: not Python's to restore; ignored: started in the background.
    if threading.current_thread() is not threading.main_thread() or previous in (None, signal.SIG_IGN):
        yield presses
        return
    signal.signal(signal.SIGINT, handle)
    try:
        yield presses
    finally:
        signal.signal(signal.SIGINT, previous)
