"""A laboratory for faults: commands that are killed, starved and interrupted, and what must hold then.

A *nursery* is an interpreter that has imported anidata and used nothing of it. Commands are forked from it,
each a process group of its own: hundreds of them would spend most of their time importing.
"""

import contextlib
import importlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fault_points
from anidata.engine.worker import Watch

TESTS = Path(__file__).parent
WARM = (
    "anidata.cli.entry",
    "anidata.reports.contact_sheet",
    "anidata.pipeline",
    "anidata.reports.terminal",
    "anidata.reports.status",
    "pyarrow.dataset",
    "rich.console",
    "rich.progress",
)
# In the environment of a command: an empty contact sheet will do, which is a fifth of a small run.
PLAIN = "FAULT_PLAIN"
PATIENCE = 120  # seconds after which a command counts as hung
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"), "1"
)
ONE_THREAD["JE_ARROW_MALLOC_CONF"] = "background_thread:false"  # a process that forks has one thread


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int  # −n: by signal n
    out: str
    err: str

    @property
    def troubles(self) -> list[str]:
        """Signs of what no user should see."""
        return [f"a traceback: {self.err[-1500:]}"] if "Traceback" in self.err else []


@dataclass
class Command:
    """A command under way."""

    nursery: "Nursery"
    pid: int
    handle: int = field(init=False)

    def __post_init__(self) -> None:
        self.handle = os.pidfd_open(self.pid)

    def is_over(self, seconds: float) -> bool:
        """Wait at most so long for its end."""
        return bool(select.select([self.handle], [], [], max(0.0, seconds))[0])

    def kill(self) -> None:
        """The main process alone."""
        os.kill(self.pid, signal.SIGKILL)  # nobody waits for it before `ended`, so the pid is its own

    def press_ctrl_c(self) -> None:
        """As a terminal does: to all its processes."""
        os.killpg(self.pid, signal.SIGINT)

    def workers(self) -> list[int]:
        """The pids of its workers: the children of its child."""
        return [worker for child in children(self.pid) for worker in children(child)]

    def ended(self) -> Ended:
        hung = not self.is_over(PATIENCE)
        if hung:
            os.killpg(self.pid, signal.SIGKILL)
        os.close(self.handle)
        code = self.nursery.ask({"wait": self.pid})
        out, err = (Path(p).read_text(errors="replace") for p in self.nursery.logs)
        return Ended(code, out, err + "\nTraceback: it hung" * hung)


class Nursery:
    """Starts commands, one at a time. modules: those that it imports besides."""

    def __init__(self, folder: Path, *modules: str, prefix: Sequence[str] = ()) -> None:
        """prefix: words that start its program, such as a watch over it."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.logs = folder, (str(folder / "out.txt"), str(folder / "err.txt"))
        hooks = folder / "hooks"
        hooks.mkdir(exist_ok=True)
        (hooks / "sitecustomize.py").write_text("import fault_points\n\nfault_points.install()\n")
        paths = [str(hooks), str(TESTS), *sys.path]
        self._process = subprocess.Popen(
            [*prefix, sys.executable, __file__, *modules],
            env={**os.environ, **ONE_THREAD, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, *words: object, env: dict[str, str] | None = None) -> Command:
        order = {
            "words": [str(w) for w in words],
            "env": env or {},
            "logs": self.logs,
            "folder": str(self.folder),
        }
        return Command(self, self.ask(order))

    def run(self, *words: object, env: dict[str, str] | None = None) -> Ended:
        return self.start(*words, env=env).ended()

    def ask(self, order: dict[str, Any]) -> int:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


class PanicException(BaseException):
    """Raised by a decoder written in Rust where it gives up: no Exception."""


def decodes(part: list[str], watch: Watch) -> list[str]:
    """Do as the items say, in an engine's worker.

    One called `panic` makes its decoder give up, at `kill` the system ends the worker.
    """
    outcomes = []
    for item, failure in watch.each(part):
        if item == "panic" and not failure:
            raise PanicException
        if item == "kill" and not failure:
            os.kill(os.getpid(), signal.SIGKILL)
        outcomes.append(failure.code if failure else item)
    return outcomes


def children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


# --- the nursery's own side -----------------------------------------------------------------------


def _nursery() -> None:
    """Answer orders: to start a command with its pid, to wait for one with its exit code."""
    for name in (*WARM, *sys.argv[1:]):
        importlib.import_module(name)
    for line in sys.stdin:
        order = json.loads(line)
        print(_wait(order["wait"]) if "wait" in order else _fork(order), flush=True)


def _wait(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _fork(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        _be(order)
    os.setpgid(pid, pid)  # by both: whoever is first
    return pid


def _be(order: dict[str, Any]) -> None:
    """Live a command's life."""
    os.setpgid(0, 0)
    os.chdir(order["folder"])
    os.environ.update({"ANIDATA_QUIET": "1", **order["env"]})
    for handle, path in zip((1, 2), order["logs"], strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), handle)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    fault_points.install()
    if PLAIN in os.environ:
        importlib.import_module("anidata.reports.contact_sheet").write = lambda *args: args[-1].touch()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.argv = ["anidata", *order["words"]]
    code: Any = 0
    try:
        importlib.import_module("anidata.cli.entry").main()
    except SystemExit as end:
        code = end.code or 0
    except BaseException:  # noqa: BLE001  as the interpreter does
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _nursery()
