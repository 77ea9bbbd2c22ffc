"""Walk what others wrote in a worker of its own, within memory and time: a generator there, a stream here.

    with Streams(engine.pool, "the.module.to.warm") as streams:
        for one in streams.walk(listed, (path, options), Limits(seconds=600, memory=192 << 20)): ...

where `listed(path, options)` yields. A worker that dies or overstays takes nothing with it but the remainder
of its own stream: then `Stopped` is raised, with a code for a row.
"""

import pickle
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing import connection
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from anidata.engine import worker as workers
from anidata.engine.pool import Pool, Worker
from anidata.engine.worker import Limits, Task, Watch

T = TypeVar("T")

BATCH_BYTES = 1 << 18  # pickled, of one batch: what is on its way is held twice
BATCH_SECONDS = 0.5  # after which a batch goes, however small
TICK = 0.5  # seconds between looks at the time


class Stopped(Exception):
    """A stream that ended too soon: `code` is too_large, timeout, killed, crashed or corrupt."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code, self.message = code, message

    def __str__(self) -> str:
        return self.message


class Call(NamedTuple):
    """What a worker is to walk."""

    function: Callable[..., Iterator[Any]]
    arguments: tuple[Any, ...]
    memory: int  # bytes beyond what the worker holds at first; 0: no limit


class Batch(NamedTuple):
    """Some of what a generator yields, each pickled; whether there is no more."""

    pickled: list[bytes]
    is_last: bool
    lacks_memory: bool = False


class _UnderWay:
    """What this worker walks, and the private memory that it may come to."""

    generator: Iterator[Any] = iter(())
    first = 0  # bytes held before the first walk
    memory = 0  # bytes beyond; 0: no limit
    counters: workers.Counters | None = None


class Streams:
    """A worker for walks, one after the other, started when first needed."""

    def __init__(self, pool: Pool, warm: str) -> None:
        self._pool, self._warm = pool, warm
        self._idle: Worker | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._idle is not None:
            self._end(self._idle)

    def walk(
        self, function: Callable[..., Iterator[T]], arguments: tuple[Any, ...], limits: Limits
    ) -> Iterator[T]:
        """Yield what `function(*arguments)` yields in a worker.

        limits: seconds without any progress (a batch, or a call of `progress` there), and memory in bytes.
        Raises: Stopped. What the function raises.
        """
        worker, self._idle = self._idle or self._pool.start(self._warm), None
        is_done = False
        try:
            for batch in self._batches(worker, Call(function, arguments, limits.memory), limits):
                yield from map(pickle.loads, batch.pickled)
            is_done = True
        finally:
            if is_done and self._idle is None:
                self._idle = worker
            else:
                self._end(worker)

    def _batches(self, worker: Worker, call: Call, limits: Limits) -> Iterator[Batch]:
        request: Call | None = call
        while True:
            worker.submit(pickle.dumps(Task(advance, request, limits, {}), pickle.HIGHEST_PROTOCOL))
            batch = self._batch(worker, limits.seconds)
            yield batch
            if batch.lacks_memory:
                raise Stopped("too_large", "listing it takes more memory than it may")
            if batch.is_last:
                return
            request = None

    def _batch(self, worker: Worker, seconds: float) -> Batch:
        """Wait for a reply. Raises: Stopped: the worker dies, or makes no progress. What it raises."""
        while not connection.wait([worker.connection], TICK):
            if seconds and worker.counters.since and _age(worker) > seconds:
                raise Stopped("timeout", f"listing it makes no progress in {seconds:g} s")
        try:
            reply = worker.connection.recv_bytes()
        except (EOFError, OSError) as error:
            raise _death(self._pool.end(worker)) from error
        is_result, value = pickle.loads(reply)  # noqa: S301  the other end is this program
        if not is_result:
            raise value
        batch: Batch = value
        return batch

    def _end(self, worker: Worker) -> None:
        if worker.pid in self._pool.pids:
            self._pool.end(worker)
        worker.log.close()


def progress() -> None:
    """Say, in a worker that walks a stream, that it goes on; elsewhere nothing happens."""
    if _UnderWay.counters is not None:
        _UnderWay.counters.since = time.monotonic_ns()


def allow(memory: int) -> None:
    """Raise, in a worker that walks a stream, its memory to hold so many bytes more at once."""
    if _UnderWay.memory:
        workers.limit_memory(_UnderWay.first + _UnderWay.memory + memory)


def advance(request: Call | None, watch: Watch) -> Batch:
    """The next batch: of a new walk, or of the one under way. Within a worker."""
    if request is not None:
        _UnderWay.first = _UnderWay.first or workers.private()
        _UnderWay.memory, _UnderWay.counters = request.memory, watch.counters
        _UnderWay.generator = iter(request.function(*request.arguments))
    allow(0)
    progress()
    pickled: list[bytes] = []
    try:
        is_last = _fill(pickled)
    except MemoryError:
        workers.limit_memory(0)
        return Batch(pickled, is_last=True, lacks_memory=True)
    return Batch(pickled, is_last)


def _fill(pickled: list[bytes]) -> bool:
    """Take from the generator until a batch is full; returns whether it is over."""
    size, until = 0, time.monotonic() + BATCH_SECONDS
    for one in _UnderWay.generator:
        pickled.append(pickle.dumps(one, pickle.HIGHEST_PROTOCOL))
        size += len(pickled[-1])
        if size > BATCH_BYTES or time.monotonic() > until:
            return False
        progress()
    return True


def _age(worker: Worker) -> float:
    return (time.monotonic_ns() - worker.counters.since) / 1e9


def _death(code: int) -> Stopped:
    if code == -signal.SIGKILL:
        return Stopped("killed", "its worker was killed from outside: the machine may be short of memory")
    cause = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return Stopped("crashed", f"it ended its worker ({cause})")
