"""Make again what is damaged, where it can be made, and go on."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from anidata import registry
from anidata.catalog import damage
from anidata.engine import printing
from anidata.engine.job import Job
from anidata.errors import DamagedError

T = TypeVar("T")
STUMBLES = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError)  # what a bug raises, too
Run = Callable[[str, Job], object]


def mending(do: Callable[[], T], work: Job, run: Run, name: str = "") -> T:
    """Do something; where a file turns out to be damaged that can be made again, do that first.

    run: one stage, by its name. name: of the stage that is run; those before it that make such a file are
    run too.

    Raises: DamagedError: a file can't be made again, or is damaged once more.
    """
    before = registry.STAGES[: registry.STAGES.index(name)] if name else ()
    cleared: set[str] = set()
    while True:
        try:
            return _told_of_damage(do, work)
        except DamagedError as error:
            if error.path in cleared:
                raise
            cleared.add(error.path)
            maker = damage.clear(work.workspace, error)
            printing.err(f"{error.path} is damaged, and is made again")
        if maker in before:
            do = partial(_after, partial(run, maker, work), do)


def _told_of_damage(do: Callable[[], T], work: Job) -> T:
    """Do something; where it stumbles, look whether it is over a table that says what anidata never writes.

    Raises: DamagedError: so it is. What it raises.
    """
    try:
        return do()
    except STUMBLES:
        from anidata.catalog import soundness  # noqa: PLC0415  in this case alone

        soundness.check(work.workspace)
        raise


def _after(first: Callable[[], object], do: Callable[[], T]) -> T:
    first()
    return do()
