"""The workers' side of the engine: all that runs in processes that may die.

One *template* process is a fresh interpreter that has never seen the user's script. It imports the
function's module, and with it the heavy libraries, once; then it forks workers on request. It has a single
thread and uses nothing of what it imports: so a worker starts in milliseconds, and no lock of another thread
is copied. A worker takes parts until its connection closes.
"""

import ctypes
import faulthandler
import importlib
import mmap
import os
import pickle
import resource
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from anidata.engine.startup import slim

T = TypeVar("T")

WORD = struct.Struct("q")  # what main process and template say to each other: a pid, a wait status, −errno
START = 0  # asks the template for a worker; a pid asks it to wait for that one
HANDLES = 3  # files sent along with START: connection, counters, log
COUNTERS_BYTES = 16
PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass(frozen=True)
class Limits:
    """What one worker may take."""

    seconds: float = 60  # for one item; 0: no limit
    # Bytes of private writable memory for one item, beyond what the worker holds when its first begins;
    # 0: no limit.
    memory: int = 4 << 30


@dataclass(frozen=True)
class Failure:
    """What became of an item that ended its worker twice."""

    code: str  # timeout | killed (neither is final: both depend on the machine) | crashed
    message: str


@dataclass(frozen=True)
class Task:
    """A part on its way to a worker."""

    function: Callable[[Any, "Watch"], Any]
    part: Any
    limits: Limits
    known: Mapping[int, Failure]  # by the item's index in the part


class Counters:
    """Two numbers in memory shared with the main process: they outlive the worker."""

    def __init__(self, handle: int = -1) -> None:
        self._words = memoryview(mmap.mmap(handle, COUNTERS_BYTES)).cast(
            "q"
        )  # an aligned word is written whole

    @property
    def done(self) -> int:
        """Items finished in this part; also the index of the item in hand."""
        return self._words[0]

    @done.setter
    def done(self, value: int) -> None:
        self._words[0] = value

    @property
    def since(self) -> int:
        """When the item in hand was taken up, in ns of the monotonic clock; 0: none is in hand."""
        return self._words[1]

    @since.setter
    def since(self, value: int) -> None:
        self._words[1] = value

    def clear(self) -> None:
        self.since = self.done = 0


class Watch:
    """Handed to the function in the worker: walks a part's items under guard."""

    def __init__(
        self, counters: Counters | None = None, known: Mapping[int, Failure] | None = None, memory: int = 0
    ) -> None:
        self.counters, self._known = counters or Counters(), known or {}
        self._memory = memory

    def each(self, items: Iterable[T]) -> Iterator[tuple[T, Failure | None]]:
        """Yield each item with None: it is now in hand, and its time runs.

        One that ended two workers comes with its Failure, not to be touched.
        """
        most = private() + self._memory if self._memory else 0  # bytes
        for item in items:
            failure = self._known.get(self.counters.done)
            self.counters.since = 0 if failure else time.monotonic_ns()
            if most:
                limit_memory(most)
            yield item, failure
            if most:  # what the part takes for itself, such as the threads that read its table, is no item's
                limit_memory(0)
            # Not where the block raises: what ends the worker on its way up, such as a panic in Rust,
            # was this item.
            self.counters.since = 0
            self.counters.done += 1


def template() -> None:
    """Be the template process: its arguments are a socket's handle and, mostly, a module to import.

    If that has a `warm()`, it is called: it imports what workers will need and the main process doesn't.
    Ends when the main process does: its workers follow.
    """
    handle, *names = sys.argv[1:]
    slim()
    for name in names:
        getattr(importlib.import_module(name), "warm", lambda: None)()
        if _threads() > 1:  # it started some: begin again without it, and each worker imports it
            os.execv(sys.executable, sys.orig_argv[:-1])  # noqa: S606  ourselves
    control = socket.socket(fileno=int(handle))
    workers: set[int] = set()
    while True:
        request, handles, _, _ = socket.recv_fds(control, WORD.size, HANDLES)
        if not request:
            return _end_all(workers)
        (pid,) = WORD.unpack(request)
        if pid == START:
            reply = _fork(control, handles)
            workers.add(reply)
        else:
            reply = os.waitpid(pid, 0)[1]
            workers.discard(pid)
        control.sendall(WORD.pack(reply))


def _end_all(workers: set[int]) -> None:
    """End all workers, at once, for the next run may begin now.

    Waits for them, so that their seconds count among the main process's children's.
    """
    started = [pid for pid in workers if pid > 0]  # the others couldn't be
    for pid in started:
        os.kill(pid, signal.SIGKILL)
    for pid in started:
        os.waitpid(pid, 0)


def _threads() -> int:
    tasks = Path("/proc/self/task")  # where there is none, Python's own are those we know of
    return len(list(tasks.iterdir())) if tasks.exists() else threading.active_count()


def _fork(control: socket.socket, handles: list[int]) -> int:
    """The pid of a new worker, or −errno."""
    parent = os.getpid()
    try:
        pid = os.fork()
    except OSError as error:
        pid = -(error.errno or 1)
    if pid == 0:
        try:
            control.close()
            _work(parent, *handles)
        except BaseException:  # noqa: BLE001  the fork must not run on as a second template, whatever happens
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    for handle in handles:
        os.close(handle)
    return pid


def _work(parent: int, connection_handle: int, counters_handle: int, log: int) -> None:
    """Take parts and send results, until the main process closes the connection."""
    _die_with(parent)
    # A decoder's chatter would tear the progress display, and a print would spoil the results on stdout.
    os.dup2(log, 1)
    os.dup2(log, 2)
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a decoder's crash is an expected event
    connection, counters = Connection(connection_handle), Counters(counters_handle)
    while True:
        try:
            message = connection.recv_bytes()
        except EOFError:
            return
        reply = _reply(message, counters)
        counters.since = 0
        connection.send_bytes(reply)


def _reply(message: bytes, counters: Counters) -> bytes:
    """(True, result) or (False, exception), pickled."""
    try:
        task: Task = pickle.loads(message)  # noqa: S301  the other end is this program
        limit_memory(0)
        watch = Watch(counters, task.known, task.limits.memory)
        return pickle.dumps((True, task.function(task.part, watch)), pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # noqa: BLE001  not caught: carried to the main process and raised there
        return _packed(error)
    except SystemExit as error:  # raised as it is, it would end the main process as if all were well
        return _packed(RuntimeError(f"the function called exit({error.code!r})"))


def _packed(error: Exception) -> bytes:
    """An exception, its traceback as a note.

    One that can't make the journey becomes a RuntimeError with its text.
    """
    error.add_note("In a worker:\n" + "".join(traceback.format_exception(error)))
    try:
        packed = pickle.dumps((False, error))
        pickle.loads(packed)  # noqa: S301  our own
    except Exception:  # noqa: BLE001  an exception class may take any arguments and hold anything
        stand_in = RuntimeError(f"{type(error).__name__}: {error}")
        stand_in.add_note(error.__notes__[-1])
        return pickle.dumps((False, stand_in))
    return packed


def _die_with(parent: int) -> None:
    """Have the kernel kill this worker when the template ends, even in C code that never returns.

    Elsewhere than on Linux a worker ends with its part, when it finds nobody to give the result to.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before we asked
        os._exit(1)


def limit_memory(most: int) -> None:
    """Bound private writable memory (RLIMIT_DATA): what fills RAM. 0: no longer.

    RLIMIT_AS would also count mapped files and reserved, untouched address space, of which allocators take
    gigabytes.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = most or resource.RLIM_INFINITY
    if hard != resource.RLIM_INFINITY:
        wanted = hard if wanted == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))


def private() -> int:
    """Bytes of private writable memory this process holds; 0 where the system doesn't tell."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[5]) * resource.getpagesize() if statm.exists() else 0
