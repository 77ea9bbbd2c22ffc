"""Trials of the fault laboratory.

A workspace is brought into a state, disturbed, healed, and compared with an undisturbed one.
"""

import contextlib
import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import tomli_w

from anidata import registry
from drawings import drawing, save
from fault_lab import PLAIN, Command, Ended, Nursery
from fault_points import BEGUN, BLOW, JOURNAL, STEP

STAGES = ("ingest", "clean", "dedup", "extract-lineart", "shard")
ALL = (*STAGES, "run", "update", "retune")
ENGINES = ("ingest", "dedup", "extract-lineart", "shard")  # those that have workers


def write_recipe(path: Path, part: int, where: str, quality: int) -> None:
    """The quickstart's recipe with small pictures, parts and shards."""
    document = tomllib.loads(registry.find("pipelines", "quickstart").read_text())
    document["ingest"]["part_size"] = part
    document["clean"]["where"] = where
    document["lineart"] |= {"size": 96, "quality": quality, "part_size": part}
    document["shard"]["shard_bytes"] = 100_000
    path.write_text(tomli_w.dumps(document))


def make_pile(folder: Path, pictures: int) -> Path:
    """Draw pictures, with a few copies of them, and two files that fail.

    Clusters, rejections and failures are in every run.
    """
    for n in range(pictures):
        save(folder / f"{n:02d}.jpg", drawing(n))
    save(folder / "copy of 01.png", drawing(1))
    save(folder / "mirrored.png", drawing(2)[:, ::-1])
    save(folder / "tiny.png", drawing(99, 40, 40))
    (folder / "broken.jpg").write_bytes((folder / "00.jpg").read_bytes()[:2000])
    return folder


class Lane:
    """One workspace's trials, one after the other. `before` a stage is its state in an undisturbed run."""

    def __init__(
        self, folder: Path, pictures: int, *, part: int = 5, workers: int = 2, where: Path | None = None
    ) -> None:
        self.nursery = Nursery(folder / "nursery")
        self.folder, self.workers = folder, workers
        self.home = where or folder / "home"  # of the workspace: a disk of its own where it is to be small
        self.work, self.more = self.home / "work", folder / "more"
        self.pile = make_pile(folder / "pile", pictures)
        for n in range(3):
            save(self.more / f"more {n}.jpg", drawing(200 + n))
        self.recipe, self.other = folder / "mini.toml", folder / "other.toml"
        write_recipe(self.recipe, part, "", 95)
        write_recipe(self.other, part, "file not like '%3.jpg'", 80)
        self.second = Nursery(folder / "second")
        self.journal = folder / "journal"
        self.seconds: dict[str, float] = {}
        self.grown: dict[str, int] = {}  # stage → bytes that it adds
        self.wanted: dict[str, tuple[bytes, set[str]]] = {}  # stage → manifest and files in the end

    def words(self, stage: str) -> list[object]:
        """The command of a stage.

        `update`: other sources and settings for a finished workspace; `retune`: other settings alone.
        """
        workers = ("--workers", self.workers)
        match stage:
            case "run":
                return ["run", self.recipe, self.work, self.pile, *workers]
            case "update":
                return ["run", self.other, self.work, self.pile, self.more, *workers]
            case "retune":
                return ["run", self.other, self.work, self.pile, *workers]
            case "ingest":
                return ["ingest", self.work, self.pile, "--recipe", self.recipe, *workers]
            case _:
                return [stage, self.work, *(workers if stage in ENGINES else ())]

    def prepare(self, *stages: str) -> None:
        """Go through stages undisturbed, in the order of ALL."""
        self.home.mkdir(parents=True, exist_ok=True)
        for stage in stages:
            if stage == "run":
                shutil.rmtree(self.work, ignore_errors=True)
            self.keep(stage)
            begun, size = time.monotonic(), _size(self.work)
            ended = self.nursery.run(*self.words(stage))
            assert ended.code == 0, ended.err
            self.seconds[stage] = time.monotonic() - begun
            self.grown[stage] = _size(self.work) - size
            self.wanted[stage] = manifest(self.work), kept(self.work)
            if stage == "update":
                self.restore("update")

    def keep(self, state: str) -> None:
        _copy(self.work, self.folder / "before" / state)

    def restore(self, stage: str) -> None:
        _copy(self.folder / "before" / stage, self.work)

    def start(self, stage: str) -> Command:
        return self.nursery.start(*self.words(stage))

    def plain(self, *words: object) -> Ended:
        """Run a command without disturbance."""
        return self.nursery.run(*words, env={PLAIN: ""})

    def blow(self, blow: str, step: int | str) -> dict[str, str]:
        """The environment of a command that is to be struck at a step of its publishes."""
        self.journal.unlink(missing_ok=True)
        return {JOURNAL: str(self.journal), STEP: str(step), BLOW: blow}

    def steps(self) -> list[tuple[str, int]]:
        """Every step of every publish of an undisturbed run, with the process that does it."""
        self.restore("run")
        assert self.nursery.run(*self.words("run"), env=self.blow("none", "nowhere")).code == 0
        lines = (line.split("\t") for line in self.journal.read_text().splitlines())
        return [(step, int(process)) for step, process in lines]

    def close(self) -> None:
        self.nursery.close()
        self.second.close()

    def again(self, stage: str, *, then: str = "run") -> list[str]:
        """Run the same command again, and all that remains; what is amiss after that."""
        troubles = []
        for name in dict.fromkeys((stage, then)):
            troubles += _of_success(self.plain(*self.words(name)), name)
        return troubles + self.amiss(then)

    def amiss(self, stage: str = "run", *, grown: bool = False) -> list[str]:
        """Faults of a workspace that should be as an undisturbed one, up to date, with nothing left to do.

        grown: it has seen more than the undisturbed one, and may hold more.
        """
        wanted, files = self.wanted[stage]
        troubles = damages(self.work, wanted, kept(self.work) if grown else files)
        status = self.plain("status", self.work, "--json")
        next_command = json.loads(status.out)["next_command"] if status.code == 0 else status.err
        if next_command:
            troubles.append(f"status would go on with: {next_command}")
        last = self.plain(*self.words(stage))
        if "Nothing to do" not in last.out:
            troubles.append(f"a second run has something to do: {last.out} {last.err}")
        return troubles


def _of_success(ended: Ended, stage: str) -> list[str]:
    return [] if ended.code == 0 else [f"{stage}, run again, ended with {ended.code}: {ended.err[-1500:]}"]


def _size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def _copy(source: Path, target: Path) -> None:
    """The dates too: they tell a stage whether its input has changed."""
    shutil.rmtree(target, ignore_errors=True)
    if source.exists():
        shutil.copytree(source, target, symlinks=True)


# --- what has to hold -----------------------------------------------------------------------------


def manifest(work: Path) -> bytes:
    path = work / "dataset" / "manifest.json"
    return path.read_bytes() if path.exists() else b""


def paths(work: Path) -> set[str]:
    return {p.relative_to(work).as_posix() for p in work.rglob("*") if p.is_file()}


def kept(work: Path) -> set[str]:
    """The paths that depend on the state alone.

    Names in shards/ follow the data set's path, the contact sheet shows the last change.
    """
    return {p for p in paths(work) if not p.startswith("shards/") and p not in (".lock", "contact-sheet.png")}


def damages(work: Path, wanted: bytes, files: set[str]) -> list[str]:
    """Faults of a workspace that should be as one without disturbance.

    Of its manifest, the files it lists, and leftovers.
    """
    troubles = [] if manifest(work) == wanted else ["another manifest"]
    listed = json.loads(manifest(work) or b'{"files": {}}')["files"]
    troubles += [
        f"not as listed: {name}"
        for name, entry in listed.items()
        if _digest(work / "dataset" / name) != entry["sha256"]
    ]
    troubles += [f"left over: {p}" for p in sorted(kept(work) - files)]
    troubles += [f"lacking: {p}" for p in sorted(files - kept(work))]
    return troubles + [f"left over: {p}" for p in sorted(paths(work)) if BEGUN.fullmatch(Path(p).name)]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


# --- small disks ----------------------------------------------------------------------------------


def can_mount() -> bool:
    """Whether this process may mount; asked once."""
    return os.geteuid() == 0 and sys.platform == "linux" and _mounts()


@functools.cache
def _mounts() -> bool:
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A disk of `size` bytes, in memory."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """A folder that can't be written while the block lasts, by root neither."""
    while True:
        subprocess.run(["mount", "--bind", str(folder), str(folder)], check=True)
        try:
            command = ["mount", "-o", "remount,ro,bind", str(folder)]
            if subprocess.run(command, capture_output=True, check=False).returncode == 0:
                yield
                return
        finally:  # refused while a file is open for writing there
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, free: int) -> Path:
    """A file that leaves about `free` bytes of a disk."""
    ballast = disk / "ballast"
    status = os.statvfs(disk)
    with open(ballast, "wb") as file:
        file.write(bytes(max(0, status.f_bavail * status.f_frsize - free)))
    return ballast
