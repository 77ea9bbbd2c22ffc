"""Which splits a run's figures have been taken on, beside those it was trained and selected by.

A split that is looked at again and again is one that is selected by. RUN/touched.json lists each look with
other weights, so that a report can say so.
"""

from dataclasses import dataclass

from anidata import ownership, storage
from anidata.catalog.damage import read_json
from anidata.errors import DamagedError, RunError
from anidata.training.run.folder import Run

FILE = "touched.json"


@dataclass(frozen=True)
class Touch:
    """One look: at a data set's split, with some weights."""

    dataset: str  # SHA-256 of its manifest
    split: str
    weights: str  # SHA-256


def touches(run: Run, dataset: str, split: str) -> list[Touch]:
    """The looks at this split so far, the earliest first.

    Raises: RunError: the list is damaged.
    """
    return [touch for touch in _read(run) if (touch.dataset, touch.split) == (dataset, split)]


def record(run: Run, touch: Touch) -> None:
    """Write a look down, unless it was there before.

    Raises: RunError: the list is damaged. StorageError: it can't be written. Locked: a training holds the
        run.
    """
    if touch in _read(run):
        return
    with ownership.locked(run.path):
        storage.publish_json(run.path / FILE, [vars(one) for one in (*_read(run), touch)])


def _read(run: Run) -> list[Touch]:
    path = run.path / FILE
    try:
        return read_json(path, list[Touch]) if path.is_file() else []
    except DamagedError as error:
        raise RunError(
            f"{path} is damaged: which splits this run was measured on isn't known. "
            "Put it back from a copy, or delete it."
        ) from error
