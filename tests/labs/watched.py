"""A watch over commands: which files they opened, changed or deleted, what they started, and their memory.

By strace, which names each call that succeeded; memory by looking every few milliseconds at the processes
below a command. Needs Linux.
"""

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

CALLS = "open,openat,openat2,creat,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,rmdir"
CALLS += ",symlink,symlinkat,link,linkat,truncate,chmod,fchmodat,chown,fchownat,mknod,mknodat,execve,connect"
OPENED = re.compile(r"(?:open|openat|openat2|creat)\((?:AT_FDCWD|\d+)?.*= \d+<(.*)>$")
WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|^creat")
REACHED = re.compile(r'(?:inet_addr\(|inet_pton\(AF_INET6, |sun_path=)"([^"]*)"')
NAMED = re.compile(r'(?:(AT_FDCWD|\d+)<((?:[^>\\]|\\.)*)>, )?"((?:[^"\\]|\\.)*)"')
PEEK = 0.02  # seconds


def can_trace() -> bool:
    """Whether there is a strace that may watch processes here."""
    program = shutil.which("strace")
    words = [str(program), "-f", "--seccomp-bpf", "-qq", "-e", "trace=execve", "-o", os.devnull, "true"]
    return bool(program) and subprocess.run(words, capture_output=True, check=False).returncode == 0


def prefix(folder: Path) -> list[str]:
    """The words that start a program under the watch; a file a process then lies in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        "strace",
        "-ff",
        "--seccomp-bpf",
        "-y",
        "-s",
        "4096",
        "-e",
        f"trace={CALLS}",
        "-o",
        str(folder / "t"),
    ]


@dataclass
class Seen:
    """What processes did: paths by what was done with them."""

    read: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)  # also deleted, renamed, made
    started: set[str] = field(default_factory=set)
    reached: set[str] = field(default_factory=set)  # addresses of the net, and sockets


def seen(folder: Path, but: frozenset[str]) -> Seen:
    """What the processes did whose files lie in the folder, but for some; the files go."""
    result = Seen()
    for path in folder.iterdir():
        if path.name in but:
            continue
        for line in path.read_text(errors="replace").splitlines():
            _note(line, result)
        path.unlink()
    return result


def _note(line: str, result: Seen) -> None:
    call = line.partition("(")[0]
    opened = OPENED.match(line)
    if call == "connect":
        result.reached |= set(REACHED.findall(line))
    elif opened:
        (result.written if WRITES.search(line) else result.read).add(_plain(opened[1]))
    elif not line.endswith(" = 0"):
        return
    elif call == "execve":
        result.started.add(_plain(NAMED.search(line)[3]))  # type: ignore[index]
    else:
        result.written |= {_plain(os.path.join(at, name)) for _, at, name in NAMED.findall(line)}


def _plain(text: str) -> str:
    """A path as strace writes it, normal."""
    raw = text.encode("latin-1", "replace").decode("unicode_escape", "replace").encode("latin-1", "replace")
    return os.path.normpath(os.fsdecode(raw).removesuffix(" (deleted)"))


class Memory:
    """The most memory that the processes of a group had at once, in bytes, while it is entered."""

    def __init__(self, group: int) -> None:
        self.group, self.most = group, 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        before = 0
        while not self._over.wait(PEEK):
            now = sum(_proportional(pid) for pid in _tree(self.group))
            # What holds for two looks: a process that forks between two readings is counted twice in one.
            self.most = max(self.most, min(before, now))
            before = now


def _tree(pid: int) -> Iterator[int]:
    """A process and all below it."""
    yield pid
    try:
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in below:
        yield from _tree(int(child))


def _proportional(pid: int) -> int:
    """Memory of a process; of what it shares with others its share."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return int(text.partition("\nPss:")[2].split()[0]) << 10 if "\nPss:" in text else 0
