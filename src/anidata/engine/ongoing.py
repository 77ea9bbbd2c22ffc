"""One map under way: which worker has which part, how long, and what its death means for the item in hand."""

import pickle
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import connection
from typing import Any, Generic, TypeVar

from anidata.engine.pool import Pool, Worker, tail
from anidata.engine.worker import Failure, Limits, Task, Watch
from anidata.errors import WorkerError

P = TypeVar("P")
R = TypeVar("R")

# Seconds at most between looks at the counters: how late a time limit strikes, and how often the display
# moves.
TICK = 0.2
ATTEMPTS = 2  # deaths with the same item in hand that make it a Failure; one may be the machine's fault
# The same where it was killed from outside, as by a system short of memory: more often another's fault.
ATTEMPTS_KILLED = 3
MOST_LOST = 4  # deaths of one part's workers in a row that convict no item


@dataclass(eq=False)
class PartHistory(Generic[P]):
    """A part, and what became of its workers so far."""

    value: P
    known: dict[int, Failure] = field(default_factory=dict)  # item's index in the part → its failure
    attempts: Counter[int] = field(default_factory=Counter)  # item's index → deaths with it in hand
    lost: int = 0  # deaths in a row that convicted no item


class OngoingMap(Generic[P, R]):
    """A function that is being mapped over parts by the workers of a pool."""

    def __init__(
        self,
        *,
        pool: Pool,
        idle: list[Worker],
        workers: int,
        function: Callable[[P, Watch], R],
        parts: Iterator[P],
        limits: Limits,
    ) -> None:
        self._pool, self._idle, self._workers = pool, idle, workers
        self._function, self._parts, self._limits = function, map(PartHistory, parts), limits
        self._again: list[PartHistory[P]] = []
        self._ready: list[tuple[P, R]] = []
        self._timed_out: set[Worker] = set()
        self._tick = min(TICK, limits.seconds / 2 or TICK)
        self._counted = 0
        self.busy: dict[Worker, PartHistory[P]] = {}

    @property
    def done(self) -> int:
        """Items finished, those of parts in flight included."""
        return self._counted + sum(worker.counters.done for worker in self.busy)

    def step(self, *, more: bool) -> bool:
        """Hand out parts while `more` are wanted, wait a moment for results.

        False when nothing was left to wait for.
        """
        if more:
            self._hand_out()
        if not self.busy:
            return False
        connections = {worker.connection: worker for worker in self.busy}
        for ready in connection.wait(list(connections), self._tick):
            self._collect(connections[ready])  # type: ignore[index]  # wait gives back what it was given
        self._enforce_time()
        if more:
            self._hand_out()  # before the caller takes its time over the results
        return True

    def finished(self) -> Iterator[tuple[P, R]]:
        """Yield the results that are there, each once."""
        while self._ready:
            yield self._ready.pop(0)

    def stop(self) -> None:
        """Drop what is in flight.

        The whole pool goes: an exception may have struck anywhere, and a new one starts when needed.
        """
        if self.busy:
            self.busy.clear()
            self._idle.clear()
            self._pool.close()

    def _hand_out(self) -> None:
        while len(self.busy) < self._workers:
            part = self._again.pop() if self._again else next(self._parts, None)
            if part is None:
                return
            task = Task(self._function, part.value, self._limits, part.known)
            message = pickle.dumps(task, pickle.HIGHEST_PROTOCOL)
            worker = self._free_worker()
            self.busy[worker] = part
            worker.submit(message)

    def _free_worker(self) -> Worker:
        while self._idle:
            worker = self._idle.pop()
            if not worker.connection.poll():  # an idle worker has nothing to say: it would be the end
                return worker
            self._pool.end(worker)
        return self._pool.start(unwrapped(self._function).__module__)

    def _collect(self, worker: Worker) -> None:
        """Take a worker's reply, or note its death."""
        try:
            reply = worker.connection.recv_bytes()
        except (EOFError, OSError):
            self._reap(worker)
            return
        part = self.busy.pop(worker)
        self._idle.append(worker)
        self._counted += worker.counters.done
        is_result, value = pickle.loads(reply)  # noqa: S301  the other end is this program
        if not is_result:
            raise value
        self._ready.append((part.value, value))

    def _enforce_time(self) -> None:
        """Kill the workers whose item has been in hand for too long; their connection's end does the rest."""
        for worker in self.busy:
            if self._is_overdue(worker):
                self._timed_out.add(worker)
                worker.kill()

    def _is_overdue(self, worker: Worker) -> bool:
        since, limit = worker.counters.since, self._limits.seconds
        return bool(limit and since) and time.monotonic_ns() - since > limit * 1e9

    def _reap(self, worker: Worker) -> None:
        """Find out what a worker died of, and put its part back."""
        part, index, in_hand = self.busy.pop(worker), worker.counters.done, worker.counters.since > 0
        code, timed_out = self._pool.end(worker), worker in self._timed_out
        part.lost += 1
        if in_hand:
            part.attempts[index] += 1
        if in_hand and part.attempts[index] >= _attempts(code, timed_out=timed_out):
            part.known[index] = self._failure(code, timed_out=timed_out)
            part.lost = 0
        if part.lost == MOST_LOST:
            raise WorkerError(
                f"{part.lost} workers in a row have died ({_cause(code)}), and not of one picture. "
                f"{tail(worker.log)}Give them more room (fewer --workers, a smaller memory limit) "
                "and run the same command again."
            )
        worker.log.close()
        self._again.append(part)

    def _failure(self, code: int, *, timed_out: bool) -> Failure:
        if timed_out:
            return Failure("timeout", f"took longer than {self._limits.seconds:g} s, twice")
        if _is_kill(code):
            return Failure(
                "killed",
                f"its worker was killed from outside, {ATTEMPTS_KILLED} times: "
                "the machine may be short of memory",
            )
        return Failure("crashed", f"ended its worker twice ({_cause(code)})")


def unwrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function itself of a functools.partial."""
    return unwrapped(function.func) if isinstance(function, partial) else function


def _attempts(code: int, *, timed_out: bool) -> int:
    """How often an item may end its worker, by exit code of the last."""
    return ATTEMPTS_KILLED if _is_kill(code) and not timed_out else ATTEMPTS


def _is_kill(code: int) -> bool:
    return code == -signal.SIGKILL


def _cause(code: int) -> str:
    """'SIGSEGV', 'exit code 3'."""
    return signal.Signals(-code).name if code < 0 and -code in set(signal.Signals) else f"exit code {code}"
