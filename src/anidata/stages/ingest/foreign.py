"""Sources whose structure others made (archives, lists, tables) are listed in a worker, within limits.

A folder is listed here: its names are the system's. The archives in it go through the worker one by one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from anidata import registry
from anidata.engine.engine import Engine, Limits
from anidata.engine.limited import Stopped, Streams
from anidata.errors import SourceError
from anidata.sources import Options, Record, directly
from anidata.tar.untrusted import TooMuch

KINDS = ("archive", "parquet", "urls", "webdataset")
MEMORY = 192 << 20  # bytes of a listing, beyond the member in hand; 262,144 members take 150 MB
SECONDS = 600.0  # without any progress
WARM = "anidata.stages.ingest.measuring"  # what the same run's workers need


@dataclass(frozen=True)
class Lister:
    """Lists sources, by a worker where others made their structure."""

    streams: Streams
    limits: Limits = Limits(SECONDS, MEMORY)  # noqa: RUF009  frozen

    def records(self, kind: str, text: str, options: Options) -> Iterator[Record]:
        """Yield a source's records. Raises: Stopped: the remainder can't be had within the limits."""
        module = registry.load("sources", kind)
        if kind not in KINDS:
            yield from module.records(text, replace(options, walk=self._walk))
            return
        alone = replace(options, walk=directly, passed_by=set())
        for one in self._walk(listed, kind, text, alone):
            if isinstance(one, Record):
                yield one
            else:
                options.passed_by.update(one)

    def _walk(self, function: Any, *arguments: Any) -> Iterator[Any]:
        return self.streams.walk(function, arguments, self.limits)


@contextmanager
def lister(engine: Engine) -> Iterator[Lister]:
    """A lister whose worker ends with the block."""
    with engine.streams(WARM) as streams:
        yield Lister(streams)


def listed(kind: str, text: str, options: Options) -> Iterator[Record | frozenset[Path]]:
    """Yield a source's records, then the folders that were passed by. Within a worker.

    Raises: SourceError: there is nothing at all. Stopped: it breaks on its way, or passes a limit.
    """
    is_begun = False
    try:
        for record in registry.load("sources", kind).records(text, options):
            yield record
            is_begun = True
    except SourceError as error:
        if isinstance(error.__cause__, TooMuch):
            raise Stopped("too_large", str(error.__cause__)) from error
        if is_begun:
            raise Stopped("corrupt", str(error)) from error
        raise
    yield frozenset(options.passed_by)
