"""Strikes a command of the fault laboratory, or a worker of it, at the n-th step of its publishes; imported by both, told by the environment.

A publish has three steps that a crash could fall between: before the file is synced, after that, and after it was renamed. They are
told by patching `os`, so the product holds no code for it. Steps are counted over all processes of a command, in a file.
"""

import errno
import fcntl
import os
import signal
from pathlib import Path

JOURNAL, PLACE, BLOW = "FAULT_JOURNAL", "FAULT_PLACE", "FAULT_BLOW"
ENDING = ".part"  # of a file that isn't published yet


def install() -> None:
    """Patch this process, if the environment asks for it."""
    if JOURNAL not in os.environ:
        return
    fsync, replace = os.fsync, os.replace

    def synced(handle: int) -> None:
        name = str(Path(f"/proc/self/fd/{handle}").readlink())
        if name.endswith(ENDING):
            _reach("before fsync", name)
        fsync(handle)
        if name.endswith(ENDING):
            _reach("after fsync", name)

    def replaced(source: str | Path, target: str | Path) -> None:
        replace(source, target)
        if str(source).endswith(ENDING):
            _reach("after rename", str(source))

    os.fsync, os.replace = synced, replaced  # type: ignore[assignment]  # narrower than what they replace: what publishing calls


def _reach(step: str, name: str) -> None:
    """Write down a step, and strike if it is the one."""
    with open(os.environ[JOURNAL], "a+b") as journal:
        fcntl.flock(journal, fcntl.LOCK_EX)
        journal.seek(0)
        place = sum(1 for _ in journal)
        journal.write(f"{os.getpid()} {step} {name}\n".encode())
    wanted, blow = int(os.environ.get(PLACE, "-1")), os.environ.get(BLOW)
    if blow == "full" and 0 <= wanted <= place:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if place == wanted and blow == "all":
        os.killpg(0, signal.SIGKILL)
    if place == wanted and blow == "one":
        os.kill(os.getpid(), signal.SIGKILL)
