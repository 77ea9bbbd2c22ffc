"""A place for trials of what anidata may touch: somebody's files, and WORK, DATASET, RUN and outputs beside.

What a command may write lies below `home`, which may be a disk of its own; all else there is watched.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from decoys import Watch, make_decoy
from drawings import drawing, save
from fault_lab import Command, Ended, Nursery
from fault_points import BEGUN, BLOW, JOURNAL, STEP

TINY = Path(__file__).with_name("tiny_model.py")
TRAINING = ("anidata.training.train", "anidata.training.inference.files")
SETTINGS = [
    *("clean.min_side=32", "clean.min_sharpness=0", "clean.max_noise=99", "clean.max_jpeg_blocks=1"),
    *("lineart.size=32", "lineart.part_size=4", "ingest.part_size=4", "shard.splits={train=0.5,val=0.5}"),
]
SET = [word for text in SETTINGS for word in ("--set", text)]
# what every stage does anew
OTHERWISE = ["--set", "clean.min_side=33", "--set", "lineart.quality=80", "--set", "shard.seed=7"]
TRAIN = ["train.batch=2", "train.checkpoint_every=4", "train.validate_every=4", "train.log_every=2"]
TRAIN += ["train.keep_best=1", "train.images=8"]
ERROR = re.compile(r"[A-Z]\w+: \S.*", re.DOTALL)  # a typed one, as the last line has it


@dataclass(frozen=True)
class Task:
    """A command whose end is known."""

    name: str
    words: list[object]
    state: tuple[str, ...]  # of the kept folders, those that it starts with
    roots: tuple[Path, ...]  # what it may write
    result: Callable[[], dict[str, str]]  # what is to be the same however it came about


class Yard:
    """One place of trials, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.nursery, self.second = (Nursery(folder / n, *TRAINING) for n in ("nursery", "second"))
        self.ground, self.kept, self.journal = folder / "ground", folder / "kept", folder / "journal"
        self.decoy, self.pile, self.home = (self.ground / name for name in ("decoy", "pile", "home"))
        self.work, self.other, self.set, self.run, self.out = (
            self.home / name for name in ("work", "other", "set", "run", "out")
        )
        for n in range(8):
            save(self.pile / f"{n}.png", drawing(n, 64, 64))
        for n, name in enumerate(("deep/0.png", "deep/x.jpg", "deeper/x.jpg")):
            save(self.pile / name, drawing(20 + n, 64, 64))
        make_decoy(self.decoy)
        self.wanted: dict[str, dict[str, str]] = {}
        self._prepare()

    def _prepare(self) -> None:
        """Make what trials start with: each folder is kept as it is by then."""
        self.home.mkdir(exist_ok=True)
        self._made("begun", self.work, "ingest", self.work, self.pile / "deep", *SET, "--workers", 1)
        shutil.rmtree(self.work)
        self._made("work", self.work, *self.make_work(self.work))
        self._made("other", self.other, *self.make_work(self.other))
        self._made("set", self.set, "shard", self.work, self.set)
        self._made("work with set", self.work)
        self._made("run", self.run, *self.train(images=4))
        self._made("trained", self.run, *self.train())
        for task in self.tasks():
            self.restore(*task.state)
            ended = self.nursery.run(*task.words)
            assert ended.code == 0, ended.err
            self.wanted[task.name] = task.result()

    def _made(self, name: str, folder: Path, *words: object) -> None:
        if words:
            ended = self.nursery.run(*words)
            assert ended.code == 0, ended.err
        shutil.copytree(folder, self.kept / name, symlinks=True)

    def make_work(self, work: Path) -> list[object]:
        return ["run", "quickstart", work, self.pile, *SET, "--workers", 1]

    def train(self, images: int = 8) -> list[object]:
        settings = [word for text in (*TRAIN, f"train.images={images}") for word in ("--set", text)]
        return ["train-baseline", TINY, self.set, self.run, "--device", "cpu", *settings]

    def tasks(self) -> list[Task]:
        """The commands that aren't a WORK's own, and what they are to leave."""
        draw = ["draw", self.pile, "-o", self.out]
        colorize = ["colorize", self.run, self.pile, "-o", self.out, "--device", "cpu"]
        built = ("work with set",)
        return [
            Task(
                "shard",
                ["shard", self.work, self.set, "--workers", 1],
                built,
                (self.work, self.set),
                self.built,
            ),
            Task("train", self.train(), ("set",), (self.run,), self.trained),
            Task("draw", [*draw, "--style", "xdog"], (), (self.out,), self.drawn),
            Task("compare", [*draw, "--compare", "--size", 32], (), (self.out,), self.drawn),
            Task("colorize", colorize, ("trained",), (self.out,), self.drawn),
        ]

    # --- results ---

    def built(self) -> dict[str, str]:
        return contents(self.set)

    def trained(self) -> dict[str, str]:
        """Without what holds a clock or a random id."""
        files = contents(self.run)
        clocks = {name: "" for name in files if name.startswith(("checkpoints/", "metrics", ".anidata"))}
        return {
            n: c for n, c in (files | clocks).items() if not n.startswith(("tensorboard/", "README", ".lock"))
        }

    def drawn(self) -> dict[str, str]:
        return contents(self.out)

    # --- trials ---

    def restore(self, *names: str) -> None:
        """Let `home` hold these of the kept folders, at their own places, and nothing else."""
        shutil.rmtree(self.decoy)
        make_decoy(self.decoy)
        for path in [*self.home.iterdir()] if self.home.exists() else []:
            path.unlink() if path.is_symlink() or path.is_file() else shutil.rmtree(path)
        for name in names:
            place = {"begun": self.work, "work with set": self.work, "trained": self.run}
            shutil.copytree(self.kept / name, place.get(name, self.home / name), symlinks=True)

    def blow(self, blow: str, step: int | str) -> dict[str, str]:
        """The environment of a command that is to be struck at a step of its publishes."""
        self.journal.unlink(missing_ok=True)
        return {JOURNAL: str(self.journal), STEP: str(step), BLOW: blow}

    def steps(self, task: Task) -> list[str]:
        """Every step of every publish of a task undisturbed."""
        self.restore(*task.state)
        assert self.nursery.run(*task.words, env=self.blow("none", "nowhere")).code == 0
        return [line.split("\t")[0] for line in self.journal.read_text().splitlines()]

    def start(self, *words: object, second: bool = False) -> Command:
        return (self.second if second else self.nursery).start(*words)

    def plain(self, *words: object) -> Ended:
        return self.nursery.run(*words)

    def watch(self, *free: Path) -> Watch:
        return Watch(self.ground, *free)

    def again(self, task: Task) -> list[str]:
        """Run a task again; what is amiss after that."""
        ended = self.plain(*task.words)
        troubles = told(ended)
        if ended.code:
            troubles.append(f"{task.name}, run again, ended with {ended.code}: {ended.err[-700:]}")
        if other := differing(task.result(), self.wanted[task.name]):
            troubles.append(f"{task.name}: other results than undisturbed: {other}")
        return troubles + leftovers(*task.roots)

    def close(self) -> None:
        self.nursery.close()
        self.second.close()


def contents(folder: Path) -> dict[str, str]:
    """The digest of each file."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*")) if path.is_file()
    }  # fmt: skip


def differing(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """The names in which two results differ."""
    return sorted(n for n in one.keys() | other.keys() if one.get(n) != other.get(n))


def leftovers(*roots: Path) -> list[str]:
    """The files that somebody began, and nobody ended."""
    found = [path for root in roots for path in root.rglob("*") if BEGUN.fullmatch(path.name)]
    return [f"left over: {path}" for path in found]


def told(ended: Ended, *codes: int) -> list[str]:
    """Troubles of a command that is to end well, or with a typed error as its last line.

    codes: those that it may end with, where not any.
    """
    troubles = list(ended.troubles)
    last = ended.err.strip().splitlines()[-1] if ended.err.strip() else ""
    if ended.code < 0 or (ended.code > 1 and not ERROR.fullmatch(last)):
        troubles.append(f"no typed error, but {ended.code}: {ended.err[-700:]}")
    if codes and ended.code not in codes:
        troubles.append(f"ended with {ended.code}, not {codes}: {ended.err[-700:]}")
    return troubles


def audit(dataset: Path) -> list[str]:
    """Files of a data set that aren't as its manifest says."""
    listed = json.loads((dataset / "manifest.json").read_bytes())["files"]
    have = contents(dataset)
    return [f"not as listed: {n}" for n, entry in listed.items() if have.get(n) != entry["sha256"]]
