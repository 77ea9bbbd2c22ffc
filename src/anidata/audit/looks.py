"""Audit, in the workers: candidates looked at as dedup looks at them; what dedup would link leaks.

Pictures are opened again, from their tars: thumbnails of a million of them would fill a disk, and few have
candidates.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from anidata import storage
from anidata.audit.config import Config
from anidata.audit.leaks import Candidates
from anidata.duplicates import alignment, pairs, place_overlap, window_join
from anidata.duplicates.page import Page
from anidata.duplicates.place_agreement import HINT
from anidata.engine.engine import Engine, Limits, Watch
from anidata.engine.memory import within_memory
from anidata.errors import BadImage
from anidata.imaging import decode
from anidata.stages.dedup import verify
from anidata.storage import Reference

PAIRS = 1024  # in a part, about
VIEWS = 64  # thumbnails that a part keeps at hand, with what comparisons ask of them again

Hint = tuple[float, float, float, int]  # HINT as numbers
Fit = tuple[float, ...]  # the six of an alignment.Affine, row by row
References = Callable[[int], Reference]  # where the bytes of a picture lie


class Candidate(NamedTuple):
    """A pair to look at, and how it met, as `Candidates` has it."""

    ours: int
    theirs: int
    way: int
    hint: Hint


class Look(NamedTuple):
    """One of ours that leaks."""

    ours: int
    theirs: int
    relation: str  # as dedup has them
    candidate: Candidate | None = None
    fit: Fit | None = None  # places in theirs → places in ours, where it was told by one


@dataclass(frozen=True)
class LookPart:
    """Candidates, those of each of ours side by side, and where the bytes of their pictures lie."""

    candidates: tuple[Candidate, ...]
    references: dict[int, Reference]
    max_pixels: int
    max_bytes: int


class Looks(NamedTuple):
    """Results of looking: the leaks, and why one of ours could not be compared."""

    leaks: list[Look]
    failures: list[tuple[int, str]]


class Opener:
    """Opens pictures of data sets by their numbers."""

    def __init__(self, part: LookPart) -> None:
        self._part = part
        self.view = lru_cache(VIEWS)(self._view)

    def page(self, number: int) -> Page:
        """The picture at full resolution. Raises: BadImage."""
        part = self._part
        data = storage.read(part.references[number], Path(), part.max_bytes, links=True)
        return Page(decode.decode(data, part.max_pixels).rgb)

    def _view(self, number: int) -> alignment.View:
        return alignment.View(alignment.thumbnail(self.page(number).rgb))


def look_at_part(part: LookPart, watch: Watch) -> Looks:
    """Compare each of ours with its candidates, until one turns out to be a leak."""
    opener, leaks, failures = Opener(part), dict[int, Look](), dict[int, str]()
    for candidate, failure in watch.each(part.candidates):
        ours = candidate.ours
        if ours in leaks:
            continue
        if failure:
            failures[ours] = f"{failure.code}: {failure.message}"
            continue
        try:
            with within_memory():
                seen = _look(opener, candidate)
        except BadImage as bad:
            failures[ours] = str(bad)
            continue
        if seen.relation != "unrelated":
            leaks[ours] = seen
    return Looks(list(leaks.values()), [(ours, why) for ours, why in failures.items() if ours not in leaks])


def _look(opener: Opener, candidate: Candidate) -> Look:
    """The relation of two pictures, as dedup has them. Raises: BadImage."""
    a, b = sorted(candidate[:2])
    views, whole = (opener.view(a), opener.view(b)), cache(lambda: (opener.page(a), opener.page(b)))
    if candidate.way:
        (mirrored,), (turned,) = (c.tolist() for c in window_join.met_in(np.array([candidate.way])))
        relation = verify.pair_relation(*views, mirrored, whole, turned)
        return Look(candidate.ours, candidate.theirs, relation, candidate)
    shared = place_overlap.judged(*views, np.array([candidate.hint], HINT)[0], whole)
    fit = shared.fit if a == candidate.ours else alignment.inverse(shared.fit)
    return Look(candidate.ours, candidate.theirs, shared.relation, candidate, tuple(fit.ravel().tolist()))


def look(candidates: Candidates, references: References, config: Config, engine: Engine) -> Looks:
    """Look at all candidates, by workers; sorted."""
    leaks, failures = list[Look](), list[tuple[int, str]]()
    parts = list(_parts(candidates, references, config))
    if parts:
        limits, total = Limits(config.time_limit, config.memory_limit), len(candidates.ours)
        looked = engine.map(look_at_part, parts, limits=limits, label="pairs", total=total, unit="pairs")
        for _, looks in looked:
            leaks += looks.leaks
            failures += looks.failures
    return Looks(sorted(leaks, key=lambda look: look.ours), sorted(failures))


def _parts(candidates: Candidates, references: References, config: Config) -> Iterator[LookPart]:
    """Yield the candidates in parts: pictures that are connected by them side by side, one of ours in one."""
    ours, theirs, way, hint = candidates
    names, places = np.unique(np.concatenate([ours, theirs]), return_inverse=True)
    cluster = pairs.components(len(names), places[: len(ours)], places[len(ours) :])[places[: len(ours)]]
    order = np.lexsort((np.arange(len(ours)), ours, cluster))
    starts = np.flatnonzero(np.diff(ours[order], prepend=-1))  # of the candidates of each of ours
    for some in np.split(order, starts[1:][np.diff(starts // PAIRS) > 0]) if len(order) else ():
        numbers = np.unique(np.concatenate([ours[some], theirs[some]])).tolist()
        rows = zip(*(column[some].tolist() for column in (ours, theirs, way, hint)), strict=True)
        where = {number: references(number) for number in numbers}
        yield LookPart(tuple(Candidate(*row) for row in rows), where, config.max_pixels, config.max_bytes)
