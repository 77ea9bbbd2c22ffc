"""One training, from where the last session stopped to its end: what the loop leaves to its caller.

Checkpoints are written every so often, when a validation is among the best, when training ends, and when it
is told to stop.
"""

import shlex
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Literal

import torch
from torch import nn

from anidata import storage
from anidata.engine import progress
from anidata.errors import Diverged, Interrupted
from anidata.imaging import encode
from anidata.training import config, distributed, ema, foreign
from anidata.training.baseline import Baseline, Batch
from anidata.training.data.loader import Loader
from anidata.training.loop import Progress, State, prepare, train
from anidata.training.run import card, checkpoints, folder, forms, validation, weights
from anidata.training.run.logs import Log, Window, logging
from anidata.training.run.outcome import Outcome
from anidata.training.run.validation import Score
from anidata.training.watch import Watch

LAST = 2  # checkpoints kept beside the best: the newest, and one to fall back on


@dataclass(kw_only=True)
class Session:
    """One process's share of a training."""

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
    watch: Watch = field(default_factory=Watch)
    warnings: list[str] = field(default_factory=list)

    def go_on(self) -> Outcome:
        """Train from where the last session stopped to the end."""
        self._restore()
        already = bool(self.reason())
        if not already:
            self._resume()
        self._export()
        state = self.state
        return Outcome(
            run=self.run.path,
            images=state.images,
            reason=self.reason(),
            already=already,
            first=self.team.first,
            seconds=state.seconds,
            waited=state.waited,
            skipped=state.skipped,
            scores=self.scores,
            init=self.init,
            warnings=self.warnings,
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

    def _resume(self) -> None:
        """Train with a log and a display, which the first process alone has."""
        first, images = self.team.first, self.state.images
        with ExitStack() as stack:
            log = None
            if first:
                log = stack.enter_context(logging(self.run.table, self.run.tensorboard, images))
            remaining = self.recipe.train.images - images
            show = progress.display("train" if first else "", remaining, "images")
            stack.callback(show.close)
            try:
                self._train(log, show, stack.enter_context(stopping()))
            except Diverged as error:
                raise Diverged(f"{error} {self._rescued(log)}") from error

    def _rescued(self, log: Log | None) -> str:
        """Keep the weights of a training that has diverged, if they are finite; say what a new one has of it.

        They are the last finite ones: a gradient that isn't moves nothing.
        """
        if self.state.images and not self._spoiled():
            self._save(log)
        kept = weights.known(self.run)
        if not kept:
            return "There are no finite weights of this run to start from."
        return (
            f"--init {shlex.quote(str(self.run.path))} starts it from those after {kept['images']:,} images."
        )

    def _spoiled(self) -> str:
        """The first of the tensors to be saved that isn't finite; empty if all are."""
        live = checkpoints.trained(self.baseline)
        averages = self.state.ema.tensors if self.state.ema else {}
        for name, below in [*ema.tensors(live).items(), *averages.items()]:
            floating = [key for key, tensor in below.items() if tensor.is_floating_point()]
            if wrong := foreign.unlike(below, floating):
                return f"{name}.{wrong}"
        return ""

    def _train(self, log: Log | None, show: progress.Display, stop: threading.Event) -> None:
        train_config, loader, start = self.recipe.train, self.loaders[0], self.state.images
        for note in self.notes:
            show.note(note)
        for step in train(self.baseline, loader.batches(start), train_config, self.state, self.team):
            self.window.add(step)
            for sentence in self.watch.add(step.losses):
                self.warnings.append(f"{step.images:,} images: {sentence}")
                show.note(self.warnings[-1])
            show.update(step.images - start)
            end = self._end(stop)
            if crossed(step, train_config.log_every):
                self._write(log)
            if self.loaders[1] and (crossed(step, train_config.validate_every) or end == "over"):
                self._validate(log, show)
                end = end or self._end(stop)
            if end or crossed(step, train_config.checkpoint_every) or step.images in self._best():
                self._save(log)
            if end == "over":
                return
            if end == "stop":
                raise Interrupted(
                    f"stopped after {step.images:,} images, all of it kept. The same command goes on."
                )

    def _end(self, stop: threading.Event) -> Literal["over", "stop", ""]:
        """Whether training is `over`, told to `stop`, or neither.

        It is the same for all processes, by the first one's clock.
        """
        flags = torch.tensor([float(self.team.first and bool(self.reason())), float(stop.is_set())])
        if self.team.ranks > 1:
            flags = self.team.total(flags.to(self.team.device))
        over, stopped = flags.tolist()
        if over:
            return "over"
        return "stop" if stopped else ""

    def _validate(self, log: Log | None, show: progress.Display) -> None:
        """Sample with the averaged weights; keep the figures and a sheet."""
        loader, train_config, images = self.loaders[1], self.recipe.train, self.state.images
        if not self.batches and loader:
            self.batches = loader.validation(train_config.validate_images)
        with validation.sampling(self.baseline, self.state.ema):
            means, sheet = validation.score(self.baseline, self.batches, train_config, self.team)
        self.scores.append({"images": images, **means})
        if log:
            log.add(images, {f"val/{name}": value for name, value in means.items()})
            log.picture(images, sheet)
            storage.publish(self.run.sample(images), encode.encode_png(sheet))
        figures = ", ".join(f"{name} {value:.4g}" for name, value in means.items())
        show.note(f"{images:,} images: {figures}")

    def _write(self, log: Log | None) -> None:
        """Log a row for each figure of the window, and begin another."""
        if log and self.window.steps:
            state, rate = self.state, self.recipe.train.rate(self.state.images)
            log.add(state.images, {**self.window.means(), "skipped": state.skipped, "rate": rate})
        self.window = Window()

    def _save(self, log: Log | None) -> None:
        """Write a checkpoint; then the weights and the card, and what isn't kept any longer goes.

        Raises: Diverged: weights aren't finite; those kept before stay.
        """
        self._write(log)
        if spoiled := self._spoiled():
            raise Diverged(
                f"after {self.state.images:,} images {spoiled}, and isn't kept. "
                "Train with a lower learning rate (--set model.lr=…), in a new RUN."
            )
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
        """Write model.safetensors and the card, unless they are there.

        They are of the best checkpoint; where there is no validation, of the newest.
        """
        written = self.run.checkpoints()
        images = next((n for n in self._best() if n in written), max(written, default=0))
        if not self.team.first or not images:
            return
        about = weights.About(images=images, baseline=self.recipe.baseline, preset=self.recipe.preset)
        if weights.known(self.run) != about:
            weights.export(self.run, written[images], self.baseline.sampled, about)
        sizes = {name: _size(self.baseline.networks[name]) for name in self.baseline.sampled}
        folder.publish_changed(self.run.card, card.write(self.run, self.recipe, sizes, self.scores, images))

    def _facts(self) -> forms.Facts:
        return forms.Facts(
            images=self.state.images,
            seconds=self.state.seconds,
            waited=self.state.waited,
            skipped=self.state.skipped,
            running=self.state.running,
            scores=self.scores,
            versions=validation.versions(self.recipe.train.metric),
        )

    def _restore(self) -> None:
        """Bring networks onto the device, and all to where the newest checkpoint has it.

        Where there is none, the weights are as --init has them.
        """
        train_config, latest = self.recipe.train, self.run.latest()
        prepare(self.baseline, train_config, self.team)
        if not latest and train_config.init:
            self.init = str(weights.start_from(Path(train_config.init), self.baseline))
            self.notes.append(f"weights from {train_config.init}: {self.init}")
        self.team.share(self.baseline.networks)
        sampled = {name: self.baseline.networks[name] for name in self.baseline.sampled}
        self.state = State(ema=ema.Ema(sampled, train_config.ema) if train_config.ema else None)
        if latest:
            facts = forms.BEGINNING | checkpoints.load(
                latest, self.baseline, self.state.ema.tensors if self.state.ema else {}
            )
            self.scores = validation.comparable(facts["scores"], facts["versions"], train_config.metric)
            self.state = State(
                images=facts["images"],
                seconds=facts["seconds"],
                waited=facts["waited"],
                skipped=facts["skipped"],
                running=facts["running"],
                ema=self.state.ema,
            )
            self.notes.append(f"goes on after {self.state.images:,} images")


def _size(network: nn.Module) -> int:
    """The number of its parameters."""
    return sum(p.numel() for p in network.parameters())


def crossed(step: Progress, every: int) -> bool:
    """Whether a multiple of `every` images was reached in this step; never, if it is 0."""
    return bool(every) and step.images // every > (step.images - step.step) // every


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Let Ctrl-C and SIGTERM set the event within the block: the step is finished first.

    A second one strikes as usual.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield stop
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, _: FrameType | None) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)] or signal.SIG_DFL)

    for number in before:
        signal.signal(number, handle)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
