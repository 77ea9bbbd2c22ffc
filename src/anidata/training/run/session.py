"""One training, from where the last session came to until its end: what the loop leaves to its caller.

Checkpoints are written every so often, when a validation is among the best, when training ends, and when it is told to stop.
"""

import math
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from anidata import storage
from anidata.engine import progress
from anidata.errors import Interrupted
from anidata.imaging import encode
from anidata.training import config, distributed
from anidata.training.baseline import Baseline, Batch
from anidata.training.data.loader import Loader
from anidata.training.ema import Ema
from anidata.training.loop import Progress, State, prepare, train
from anidata.training.run import card, checkpoints, folder, validation, weights
from anidata.training.run.logs import Log, Window, logging
from anidata.training.run.validation import Score

LAST = 2  # checkpoints kept beside the best: the newest, and one to fall back on


@dataclass(frozen=True)
class Outcome:
    """What a training came to."""

    run: Path
    images: int
    reason: str  # why it ended
    already: bool  # it had ended before
    first: bool  # this is the process that reports
    seconds: float  # spent in steps, of all sessions
    waited: float  # of these, for data
    skipped: int
    scores: list[Score]
    init: str  # what of --init's weights fitted

    def to_json(self) -> dict[str, Any]:
        places = {"run": str(self.run), "weights": str(folder.Run(self.run).weights)}
        keys = ("images", "reason", "already", "seconds", "waited", "skipped", "init")
        scores = [
            {name: value if math.isfinite(value) else None for name, value in score.items()}
            for score in self.scores
        ]
        return places | {key: getattr(self, key) for key in keys} | {"scores": scores}

    def __str__(self) -> str:
        last = self.scores[-1] if self.scores else {}
        figures = ", ".join(f"{name} {value:.4g}" for name, value in last.items() if name != "images")
        told = [
            f"{'nothing to do' if self.already else 'trained'}: {self.reason}",
            f"{self.images:,} images in {progress.duration(self.seconds)}, {self.images / self.seconds:.1f}/s, "
            f"{self.waited / self.seconds:.0%} of the time waiting for data"
            + (f", {self.skipped:,} steps skipped" if self.skipped else ""),
            *([f"validation: {figures}"] if figures else []),
            f"weights  {folder.Run(self.run).weights}",
        ]
        return "\n".join(told)


@dataclass
class Session:
    """One process's part in a training."""

    run: folder.Run
    recipe: config.Recipe
    team: distributed.Processes
    baseline: Baseline
    loaders: tuple[Loader, Loader | None]  # of training and of validation
    state: State = field(default_factory=State)
    scores: list[Score] = field(default_factory=list)
    window: Window = field(default_factory=Window)
    batches: list[Batch] = field(default_factory=list)  # of validation, read once
    init: str = ""  # what of --init's weights fitted
    notes: list[str] = field(default_factory=list)

    def go_on(self) -> Outcome:
        """Train from where the last session came to until the end."""
        self._restore()
        already = bool(self.reason())
        if not already:
            with ExitStack() as stack:
                images = self.state.images
                log = (
                    stack.enter_context(logging(self.run.table, self.run.board, images))
                    if self.team.first
                    else None
                )
                show = progress.display(
                    "train" if self.team.first else "", self.recipe.train.images - images, "images"
                )
                stack.callback(show.close)
                self._train(log, show, stack.enter_context(stopping()))
        self._export()
        state, team = self.state, self.team
        times = state.seconds, state.waited
        return Outcome(
            self.run.path,
            state.images,
            self.reason(),
            already,
            team.first,
            *times,
            state.skipped,
            self.scores,
            self.init,
        )

    def reason(self) -> str:
        """Why there is nothing more to do, if so."""
        train, state = self.recipe.train, self.state
        if state.images >= train.images:
            return f"all {train.images:,} images are seen"
        if train.minutes and state.seconds >= 60 * train.minutes:
            return f"{train.minutes:g} minutes are over"
        if train.patience and validation.stale(self.scores, train.metric) >= train.patience:
            return f"{train.patience} validations without a better {train.metric}"
        return ""

    def _train(self, log: Log | None, show: progress.Display, stop: threading.Event) -> None:
        train_config, loader, start = self.recipe.train, self.loaders[0], self.state.images
        for note in self.notes:
            show.note(note)
        for step in train(self.baseline, loader.batches(start), train_config, self.state, self.team):
            self.window.add(step)
            show.update(step.images - start)
            told = self._told_to_end(stop)
            if crossed(step, train_config.log_every):
                self._write(log)
            if self.loaders[1] and (crossed(step, train_config.validate_every) or told == "over"):
                self._validate(log, show)
                told = told or self._told_to_end(stop)
            if told or crossed(step, train_config.checkpoint_every) or step.images in self._best():
                self._save(log)
            if told == "over":
                return
            if told == "stop":
                raise Interrupted(
                    f"stopped after {step.images:,} images, all of it kept. The same command goes on."
                )

    def _told_to_end(self, stop: threading.Event) -> str:
        """Whether training is `over`, told to `stop`, or neither; the same for all processes, by the first one's clock."""
        flags = torch.tensor([float(self.team.first and bool(self.reason())), float(stop.is_set())])
        over, stopped = (
            self.team.total(flags.to(self.team.device)).tolist() if self.team.ranks > 1 else flags.tolist()
        )
        return "over" if over else "stop" if stopped else ""

    def _validate(self, log: Log | None, show: progress.Display) -> None:
        """Sample with the averaged weights; keep the figures and a sheet."""
        loader, train_config, images = self.loaders[1], self.recipe.train, self.state.images
        if not self.batches and loader:
            self.batches = loader.validation(train_config.validate_images)
        with validation.sampling(self.baseline, self.state.ema):
            found, sheet = validation.score(self.baseline, self.batches, train_config, self.team)
        self.scores.append({"images": images, **found})
        if log:
            log.add(images, {f"val/{name}": value for name, value in found.items()})
            log.picture(images, sheet)
            storage.publish(self.run.sample(images), encode.encode_png(sheet))
        show.note(f"{images:,} images: " + ", ".join(f"{name} {value:.4g}" for name, value in found.items()))

    def _write(self, log: Log | None) -> None:
        """A row for each figure of the window."""
        if log and self.window.steps:
            state = self.state
            log.add(
                state.images,
                {
                    **self.window.means(),
                    "skipped": state.skipped,
                    "rate": self.recipe.train.rate(state.images),
                },
            )
        self.window = Window()

    def _save(self, log: Log | None) -> None:
        """A checkpoint; then the weights and the card, and what isn't kept any longer goes."""
        self._write(log)
        if self.team.first:
            averages = self.state.ema.tensors if self.state.ema else {}
            checkpoints.save(self.run.checkpoint(self.state.images), self.baseline, averages, self._facts())
            self._export()
            self.run.keep([*self._best(), *list(self.run.checkpoints())[-LAST:]])
        self.team.wait()

    def _best(self) -> list[int]:
        train_config = self.recipe.train
        return validation.best(self.scores, train_config.metric, train_config.keep_best)

    def _export(self) -> None:
        """model.safetensors and the card of the best checkpoint, of the newest where there is no validation, unless they are there."""
        found = self.run.checkpoints()
        images = next((n for n in self._best() if n in found), max(found, default=0))
        if not self.team.first or not images:
            return
        about = {"images": images, "baseline": self.recipe.baseline, "preset": self.recipe.preset}
        if not self.run.weights.is_file() or checkpoints.about(self.run.weights) != about:
            weights.export(self.run, found[images], self.baseline.sampled, about)
        sizes = {
            name: sum(p.numel() for p in self.baseline.networks[name].parameters())
            for name in self.baseline.sampled
        }
        folder.publish_changed(self.run.card, card.write(self.run, self.recipe, sizes, self.scores, images))

    def _facts(self) -> checkpoints.Facts:
        state = self.state
        counts = {
            name: getattr(state, name) for name in ("images", "seconds", "waited", "skipped", "running")
        }
        return counts | {"scores": self.scores}

    def _restore(self) -> None:
        """Networks onto the device, and all as the newest checkpoint has it; or as --init has the weights, where there is none."""
        train_config, latest = self.recipe.train, self.run.latest()
        prepare(self.baseline, train_config, self.team)
        if not latest and train_config.init:
            self.init = str(weights.start_from(Path(train_config.init), self.baseline))
            self.notes.append(f"weights from {train_config.init}: {self.init}")
        self.team.share(self.baseline.networks)
        sampled = {name: self.baseline.networks[name] for name in self.baseline.sampled}
        self.state = State(ema=Ema(sampled, train_config.ema) if train_config.ema else None)
        if latest:
            facts = checkpoints.load(latest, self.baseline, self.state.ema.tensors if self.state.ema else {})
            self.scores = facts.pop("scores")
            self.state = State(ema=self.state.ema, **facts)
            self.notes.append(f"goes on after {self.state.images:,} images")


def crossed(step: Progress, every: int) -> bool:
    """Whether a multiple of `every` images was reached in this step; never, if it is 0."""
    return bool(every) and step.images // every > (step.images - step.step) // every


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Within the block Ctrl-C and SIGTERM set the event: the step is finished first. A second one strikes as usual."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield stop
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def told(number: int, _: FrameType | None) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)] or signal.SIG_DFL)

    for number in before:
        signal.signal(number, told)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
