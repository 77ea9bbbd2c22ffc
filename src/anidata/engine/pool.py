"""The main process's side of its workers: starting, reaching and ending them.

Who works on what is the engine's business.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import IO

from anidata.engine.worker import COUNTERS_BYTES, START, WORD, Counters
from anidata.errors import StorageError, WorkerError

PROGRAM = "from anidata.engine.worker import template; template()"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
ONE_THREAD = {
    **dict.fromkeys(THREADS, "1"),
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # the only thread that importing pyarrow starts
    # glibc gives each freed picture back to the system, and fresh pages cost more than filling them:
    # keep the last 256 MB
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
}
TAIL_BYTES = 2000
PATIENCE = 0.5  # seconds for the template to see its workers off


@dataclass(frozen=True, eq=False)
class Worker:
    """A worker as the main process holds it."""

    pid: int
    connection: Connection
    counters: Counters
    log: IO[bytes]  # what it printed

    def submit(self, message: bytes) -> None:
        """Hand it a part; it is idle, so this doesn't block."""
        self.counters.clear()
        self.log.seek(0)
        self.log.truncate()
        with suppress(OSError):  # it is dead: the connection's end says so to who waits for the reply
            self.connection.send_bytes(message)

    def kill(self) -> None:
        """End it at once, whatever it does.

        Its pid can't be another's: the template hasn't waited for it yet.
        """
        with suppress(ProcessLookupError):  # the template is gone, and its workers with it
            os.kill(self.pid, signal.SIGKILL)


class Pool:
    """A template process and the workers forked from it."""

    def __init__(self) -> None:
        self._workers: list[Worker] = []
        self._template: subprocess.Popen[bytes] | None = None

    @property
    def pids(self) -> list[int]:
        return [worker.pid for worker in self._workers]

    def start(self, module: str) -> Worker:
        """A new worker.

        The first one's `module`, and with it what that needs, is imported once for all that follow.
        Raises: WorkerError: the template or the worker can't be started. StorageError: no room for temporary
        files.
        """
        if self._template is None:
            self._start_template(module)
        # The counters' pages are written: a full disk fails here, not as a bus error later.
        counters, log = _scratch(COUNTERS_BYTES), _scratch()
        ours, theirs = socket.socketpair()
        with theirs:
            pid = self._ask(START, [theirs.fileno(), counters.fileno(), log.fileno()])
        if pid < 0:
            raise WorkerError(
                f"no worker can be started: {os.strerror(-pid)}. "
                "Use fewer --workers, or raise the limit on processes (ulimit -u)."
            )
        with counters:
            worker = Worker(pid, Connection(ours.detach()), Counters(counters.fileno()), log)
        self._workers.append(worker)
        return worker

    def end(self, worker: Worker) -> int:
        """Kill a worker unless it is dead, wait for it, and tell its exit code; −n for signal n."""
        self._workers.remove(worker)
        worker.kill()
        worker.connection.close()
        return os.waitstatus_to_exitcode(self._ask(worker.pid))

    def close(self) -> None:
        """End all workers at once, and the template."""
        for worker in self._workers:
            worker.kill()
            worker.connection.close()
            worker.log.close()
        self._workers.clear()
        if self._template is not None:
            self._control.close()
            with suppress(subprocess.TimeoutExpired):
                self._template.wait(PATIENCE)
            self._template.kill()  # it may be busy importing
            self._template.wait()
            self._template_log.close()
            self._template = None

    def _start_template(self, module: str) -> None:
        self._template_log = _scratch()
        self._control, theirs = socket.socketpair()
        handle = theirs.fileno()
        # -P: a cv2.py in the folder of downloads that we stand in is not to be imported.
        command = [sys.executable, "-P", "-c", PROGRAM, str(handle), module]
        with theirs, _deaf_to_ctrl_c():
            self._template = subprocess.Popen(  # noqa: S603  our own interpreter and program
                command,
                env={**os.environ, **ONE_THREAD, "PYTHONPATH": os.pathsep.join(sys.path)},
                stdin=subprocess.DEVNULL,
                stdout=self._template_log,
                stderr=self._template_log,
                pass_fds=[handle],
            )

    def _ask(self, request: int, handles: Sequence[int] = ()) -> int:
        """Raises: WorkerError: the template is gone."""
        try:
            socket.send_fds(self._control, [WORD.pack(request)], handles)
            reply = self._control.recv(WORD.size, socket.MSG_WAITALL)
        except OSError:
            reply = b""
        if len(reply) < WORD.size:
            raise WorkerError(
                f"the process that starts workers has ended. {tail(self._template_log)}"
                "Mend that and run the same command again."
            )
        return int(WORD.unpack(reply)[0])


def _scratch(size: int = 0) -> IO[bytes]:
    """An unnamed file with `size` zeros, for as long as it is open.

    Raises: StorageError: there is no room for it.
    """
    try:
        file = tempfile.TemporaryFile()  # noqa: SIM115  closed with its worker or template
        file.write(bytes(size))
        file.flush()
    except OSError as error:
        raise StorageError(
            f"the folder for temporary files can't be written ({error.strerror or error}). "
            "Make room there, or name another one by TMPDIR, then run the same command again."
        ) from error
    return file


def tail(log: IO[bytes]) -> str:
    """The last of what a process printed, as a sentence; empty where it printed nothing."""
    size = log.seek(0, os.SEEK_END)
    log.seek(max(0, size - TAIL_BYTES))
    text = log.read().decode("utf-8", "replace").strip()
    return f"It said: {text}\n" if text else ""


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Block SIGINT in what is started here, from its first moment on, and in all that it forks.

    A terminal sends it to all.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
