"""The pictures on an audit's page, opened by workers: each pair as thumbnails, one laid on the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from anidata import storage
from anidata.duplicates import alignment
from anidata.duplicates.alignment import Pixels
from anidata.engine.engine import Engine, Limits, Watch
from anidata.engine.memory import within_memory
from anidata.errors import BadImage
from anidata.imaging import decode
from anidata.reports.page import heat
from anidata.reports.page.thumbnails import Thumbnail, small
from anidata.storage import Reference

if TYPE_CHECKING:
    from anidata.audit.pairs import Leak

PAIRS = 16  # in a part
LIMITS = Limits(60.0, 1 << 32)  # seconds for a pair, and bytes a worker may take
MAX_PIXELS, MAX_BYTES = 100_000_000, 1 << 28  # of one picture, as an audit reads them


@dataclass(frozen=True)
class Compared:
    """A pair as it is shown."""

    ground: Thumbnail
    laid: Thumbnail  # the other one, on its grid
    map: Thumbnail  # where they differ
    is_ours_laid: bool  # whether it is ours that is laid on theirs, or theirs on ours
    mean: float  # ΔE
    spot: float  # ΔE: the largest mean of a small square


@dataclass(frozen=True)
class PairsPart:
    """Leaks to open together."""

    number: int
    pairs: tuple["Leak", ...]


def open_all(leaks: "Sequence[Leak]", engine: Engine) -> list[Compared | str]:
    """Each pair compared, or why it can't be."""
    starts = range(0, len(leaks), PAIRS)
    parts = [PairsPart(n, tuple(leaks[start : start + PAIRS])) for n, start in enumerate(starts)]
    if not parts:
        return []
    done = engine.map(open_part, parts, limits=LIMITS, label="page", total=len(leaks), unit="pairs")
    by_number = {part.number: compared for part, compared in done}
    return [pair for number in sorted(by_number) for pair in by_number[number]]


def open_part(part: PairsPart, watch: Watch) -> list[Compared | str]:
    """In a worker: open both pictures of each pair, and lay one on the other."""
    compared: list[Compared | str] = []
    for leak, failure in watch.each(part.pairs):
        if failure:
            compared.append(f"{failure.code}: {failure.message}")
            continue
        try:
            with within_memory():
                ours, theirs = _opened(leak.ours.reference), _opened(leak.theirs.reference)
                compared.append(_compared(ours, theirs, leak.relation, leak.fit))
        except BadImage as bad:
            compared.append(str(bad))
    return compared


def _opened(reference: Reference) -> Pixels:
    data = storage.read(reference, Path(), MAX_BYTES, links=True)
    return alignment.thumbnail(decode.decode(data, MAX_PIXELS).rgb)


def _compared(ours: Pixels, theirs: Pixels, relation: str, fit: tuple[float, ...] | None = None) -> Compared:
    """The pair, ours laid on theirs, or the other way round where theirs is the part.

    fit: ours on theirs, where that is known.
    """
    lays = None if fit is None else np.array(fit).reshape(2, 3)
    ground, is_ours_laid, seen = theirs, True, heat.compared(theirs, ours, relation, lays)
    if relation == "crop" or lays is not None:
        back = None if lays is None else alignment.inverse(lays)
        other = heat.compared(ours, theirs, relation, back)
        if other.covered < seen.covered:
            ground, is_ours_laid, seen = ours, False, other
    return Compared(small(ground), small(seen.laid), small(seen.pixels), is_ours_laid, seen.mean, seen.spot)
