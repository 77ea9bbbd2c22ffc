"""Standing: which of two pictures of a dropped relation stays, and what says so.

Nothing here asks in which order pictures came, what their files are called, when they were written or how
many bytes they have. What pixels tell comes with the pair; beyond that a picture stands by where it was seen,
and in the end by its key.
"""

import math
from typing import NamedTuple, TypedDict

from anidata.stages.dedup import codes
from anidata.stages.dedup.codes import DATE, GUESS, KEY, PREFER, PROVENANCE, SIDE, SOUND, TEXT


class Picture(TypedDict):
    """A picture that has a link, as a decision takes it."""

    key: str
    pixels: bytes  # equal exactly where the pixels are
    broken: int  # reasons for which clean rejects it
    preferred: int  # the first pattern of dedup.prefer that it matches; their number where it matches none
    unnamed: int  # of artist and license: how many its best source doesn't name
    stated: float | None  # seconds since 1970: the earliest date that a sidecar states
    area: float  # px: of what lies within plain borders; a guess of who is looked at first


class Verdict(NamedTuple):
    """Which of two stays, by its key, and what says so."""

    winner: str
    code: str


class Votes(NamedTuple):
    """What the other copies of two mirror images say for the first and for the second."""

    independent: tuple[int, int]  # copies this way round, of other pixels, and not derived from it
    copies: tuple[int, int]  # all of other pixels, the derived too


def rank(picture: Picture) -> tuple[bool, int, int, str]:
    """What a picture stands by where no pixels tell: the least comes first."""
    return (picture["broken"] > 0, picture["preferred"], picture["unnamed"], picture["key"])


def straight(a: Picture, b: Picture, evidence: Verdict | None) -> Verdict:
    """Which of two that show the same way round stays. evidence: what their pixels tell."""
    plain, guess = _apart(evidence)
    preferred, unnamed = (a["preferred"], b["preferred"]), (a["unnamed"], b["unnamed"])
    return (
        _sound(a, b)
        or plain
        or _less(a, b, preferred, PREFER)
        or _less(a, b, unnamed, PROVENANCE)
        or guess
        or _by_key(a, b)
    )


def _apart(evidence: Verdict | None) -> tuple[Verdict | None, Verdict | None]:
    """What pixels tell plainly, and what is a guess."""
    return (None, evidence) if evidence and evidence.code == GUESS else (evidence, None)


def across(a: Picture, b: Picture, evidence: Verdict | None, votes: Votes) -> Verdict:
    """Which of two mirror images, or of two that lie another way round, stays."""
    plain, guess = _apart(evidence)
    strong = plain if plain and plain.code not in codes.OUTVOTED else None
    text = plain if plain and plain.code == TEXT else None
    preferred, unnamed = (a["preferred"], b["preferred"]), (a["unnamed"], b["unnamed"])
    return (
        _sound(a, b)
        or strong
        or _more(a, b, votes.independent, SIDE)
        or _more(a, b, votes.copies, SIDE)
        or text
        or _less(a, b, preferred, PREFER)
        or _less(a, b, (_date(a), _date(b)), DATE)
        or plain
        or _less(a, b, unnamed, PROVENANCE)
        or guess
        or _by_key(a, b)
    )


def _sound(a: Picture, b: Picture) -> Verdict | None:
    if (a["broken"] > 0) == (b["broken"] > 0):
        return None
    return Verdict(b["key"] if a["broken"] else a["key"], SOUND)


def _less(a: Picture, b: Picture, values: tuple[float, float], code: str) -> Verdict | None:
    """The one of the lesser value; None where they are equal."""
    return _more(a, b, (-values[0], -values[1]), code)


def _more(a: Picture, b: Picture, values: tuple[float, float], code: str) -> Verdict | None:
    if values[0] == values[1]:
        return None
    return Verdict(a["key"] if values[0] > values[1] else b["key"], code)


def _by_key(a: Picture, b: Picture) -> Verdict:
    return Verdict(min(a["key"], b["key"]), KEY)


def _date(picture: Picture) -> float:
    """What a picture's date counts: one without stands behind all that have one."""
    return math.inf if picture["stated"] is None else picture["stated"]
