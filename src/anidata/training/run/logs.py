"""What a run writes down as it goes: metrics.csv, and the same for TensorBoard.

metrics.csv is long: a row `images,name,value` for each figure. loss/NAME is the mean since the row before,
the same of judge/real, judge/fake and outputs/diversity (see training/watch.py),
images_per_second and waiting (the share of time spent waiting for data) too, all of the first process;
skipped counts steps, from the start, whose gradient wasn't finite; rate is the learning rate's factor;
val/METRIC is of the validation pictures.
"""

import csv
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from anidata import ownership, storage
from anidata.engine import spreadsheet
from anidata.tar import opening
from anidata.training.loop import Progress

HEADER = ("images", "name", "value")
WRITES = "tensorboard.summary.writer.event_file_writer"


@dataclass
class Window:
    """Sums over the steps since the last row."""

    images: int = 0
    steps: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    # sum and number: not every step has every loss
    losses: dict[str, tuple[Tensor, int]] = field(default_factory=dict)

    def add(self, progress: Progress) -> None:
        self.images += progress.step
        self.steps += 1
        self.seconds += progress.seconds
        self.waited += progress.waited
        for name, loss in progress.losses.items():
            total, count = self.losses.get(name, (0, 0))
            self.losses[name] = (total + loss, count + 1)

    def means(self) -> dict[str, float]:
        """The figures of the window; this asks the device for its numbers, and waits for them."""
        losses = {
            name if "/" in name else f"loss/{name}": float(total) / count
            for name, (total, count) in self.losses.items()
        }
        return losses | {
            "images_per_second": self.images / self.seconds,
            "waiting": self.waited / self.seconds,
        }


@contextmanager
def logging(table: Path, tensorboard: Path, images: int) -> Iterator["Log"]:
    """Open a run's log. Rows after `images`, of a session that was killed, are taken back.

    Raises: StorageError: the disk is full, read-only or fails.
    """
    storage.publish(table, _rows_until(table, images).encode())
    with ExitStack() as stack:
        stack.enter_context(_tensorboards_thread_is_silent())
        yield _opened(table, tensorboard, images, stack)


def _opened(table: Path, tensorboard: Path, images: int, stack: ExitStack) -> "Log":
    """Open both; they are closed with the stack."""
    with _writing(table):
        with ownership.opened(tensorboard, make=True):  # refuses links, which TensorBoard follows
            pass
        file = open(table, "a", encoding="utf-8", newline="")  # noqa: SIM115 - closed below
        purge_step = images + 1 if images else None
        stack.enter_context(_writing(table))
        stack.callback(file.close)
        writer = SummaryWriter(str(tensorboard), purge_step=purge_step)
        stack.callback(writer.close)
    return Log(table, file, writer)


@contextmanager
def _tensorboards_thread_is_silent() -> Iterator[None]:
    """Leave unsaid what ends the thread that writes for TensorBoard: whoever writes next is told anyway."""
    before = threading.excepthook

    def say(thrown: threading.ExceptHookArgs) -> None:
        if not (isinstance(thrown.exc_value, OSError) and type(thrown.thread).__module__ == WRITES):
            before(thrown)

    threading.excepthook = say
    try:
        yield
    finally:
        threading.excepthook = before


@dataclass(frozen=True)
class Log:
    """metrics.csv and the TensorBoard folder."""

    table: Path
    file: TextIO
    tensorboard: SummaryWriter

    def add(self, images: int, values: Mapping[str, float]) -> None:
        """Write figures down.

        Raises: StorageError: the disk is full, read-only or fails.
        """
        with _writing(self.table):
            rows = ((images, spreadsheet.cell(name), f"{value:.6g}") for name, value in values.items())
            csv.writer(self.file, lineterminator="\n").writerows(rows)
            self.file.flush()
            for name, value in values.items():
                self.tensorboard.add_scalar(name, value, images)

    def picture(self, images: int, sheet: npt.NDArray[np.uint8]) -> None:
        with _writing(self.table):
            self.tensorboard.add_image("samples", sheet, images, dataformats="HWC")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise storage.unwritable(path, error) from error


def _rows_until(path: Path, images: int) -> str:
    """The rows of a table up to so many images; one that was cut short by a kill goes too."""
    text = opening.read_bytes(path).decode(errors="replace") if path.exists() else ""
    lines = text.splitlines(keepends=True)[1:]
    return ",".join(HEADER) + "\n" + "".join(line for line in lines if _is_until(line, images))


def _is_until(line: str, images: int) -> bool:
    first = line.split(",", 1)[0]
    return line.endswith("\n") and line.count(",") == 2 and first.isdecimal() and int(first) <= images
