"""Strikes a command of the fault laboratory, or a worker of it, at the n-th step of its publishes.

Imported by both; the environment says where and how.

A publish has three steps that a crash could fall between: before the file is synced, after that, and after it
was renamed. They are caught by patching `os`, so the product holds no code for it. Steps are counted over all
processes of a command, in a file.
"""

import errno
import fcntl
import os
import re
import signal
from pathlib import Path
from typing import Any

JOURNAL, STEP, BLOW = "FAULT_JOURNAL", "FAULT_STEP", "FAULT_BLOW"
BEGUN = re.compile(r"\.(.+)\.[0-9a-f]{8}\.anidata")  # the name of a file that isn't published yet


def install() -> None:
    """Patch this process, if the environment asks for it."""
    if JOURNAL not in os.environ:
        return
    fsync, replace, link = os.fsync, os.replace, os.link

    def synced(handle: int) -> None:
        path = _path(handle)
        if BEGUN.fullmatch(path.name):
            _reach("before fsync", path)
        fsync(handle)
        if BEGUN.fullmatch(path.name):
            _reach("after fsync", path)

    def linked(source: str, target: str, **named: Any) -> None:
        link(source, target, **named)
        begun = _path(named["src_dir_fd"]) / source if "src_dir_fd" in named else Path(source)
        if BEGUN.fullmatch(begun.name):
            _reach("after rename", begun)

    def replaced(source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        begun = _path(src_dir_fd) / source
        replace(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        if BEGUN.fullmatch(begun.name):
            _reach("after rename", begun)

    # Narrower than what they replace: what publishing calls.
    os.fsync, os.replace, os.link = synced, replaced, linked  # type: ignore[assignment]


def _path(handle: int) -> Path:
    return Path(f"/proc/self/fd/{handle}").readlink()


def _reach(step: str, begun: Path) -> None:
    """Write down a step, and strike if it is the one: by its number, or the first of its name."""
    path = begun.with_name(BEGUN.sub(r"\1", begun.name))
    here = f"{step} {path}"
    with open(os.environ[JOURNAL], "a+b") as journal:
        fcntl.flock(journal, fcntl.LOCK_EX)
        journal.seek(0)
        before = [line.split("\t")[0] for line in journal.read().decode().splitlines()]
        journal.write(f"{here}\t{os.getpid()}\n".encode())
    chosen = os.environ[STEP]
    if chosen == str(len(before)) or (chosen == here and here not in before):
        BLOWS[os.environ[BLOW]]()


def _full() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


BLOWS = {
    "all": lambda: os.killpg(0, signal.SIGKILL),  # every process of the command
    "one": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "full": _full,
}
