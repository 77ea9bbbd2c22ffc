"""Audit: the pairs of pictures that two splits share, noted, and the first of them kept to be shown."""

from dataclasses import dataclass

import numpy as np

from anidata import storage
from anidata.audit import leaks, looks
from anidata.audit.config import Config
from anidata.audit.headers import ScannedTar
from anidata.audit.leaks import Candidates, Split
from anidata.audit.looks import Fit, Look
from anidata.audit.pictures import Index, Pictures
from anidata.audit.tar import Notes, clipped
from anidata.duplicates.place_agreement import HINT
from anidata.engine.engine import Engine
from anidata.storage import Reference

SHOWN = 200  # leaks that are kept to be shown: some 6 MB as a page


@dataclass(frozen=True)
class Sighting:
    """A picture in a tar."""

    where: str  # as findings call it
    split: str
    reference: Reference  # its bytes


@dataclass(frozen=True)
class Leak:
    """A picture that another split has too, and what the two are to each other."""

    ours: Sighting
    theirs: Sighting
    relation: str  # as dedup has them: `exact` where the pixels are equal
    fit: Fit | None = None  # how ours lies on theirs, as alignment has it, where that is known


def check(
    pictures: Pictures,
    tars: list[ScannedTar],
    splits: list[Split],
    notes: Notes,
    config: Config,
    engine: Engine,
) -> list[Leak]:
    """Note the pictures that two splits share. Returns: the first SHOWN of them."""
    named = _Named(pictures, tars, splits, [storage.uri_of(tar.tar.path) for tar in tars])
    split = np.array([tar.split for tar in tars], np.int64)[pictures.tar]
    shown: list[Leak] = []
    for ours, theirs in leaks.rivals(split, splits):
        files = leaks.same(pictures.digest, ours, theirs)
        others = np.setdiff1d(ours, files.ours)
        equal = leaks.same(pictures.pixels, others, theirs)
        near = _near(named, np.setdiff1d(others, equal.ours), theirs, notes, config, engine)
        exact = [Look(a, b, "exact") for a, b in zip(*(m.tolist() for m in files), strict=True)]
        near += [Look(a, b, "exact") for a, b in zip(*(m.tolist() for m in equal), strict=True)]
        for code, likeness, several in (
            ("leak_exact", "the same file as", exact),
            ("leak_near", "a near-duplicate of", sorted(near, key=lambda look: look.ours)),
        ):
            for leak in several:
                text = f"{likeness} {named.where(leak.theirs)}"
                notes.add(code, named.where(leak.ours), text, leak.relation)
            shown += [named.leak(leak) for leak in several[: SHOWN - len(shown)]]
    return shown


def _near(
    named: "_Named", ours: Index, theirs: Index, notes: Notes, config: Config, engine: Engine
) -> list[Look]:
    """Pictures of ours that are related to one of theirs; notes those that can't be compared."""
    reach = leaks.Reach(config.max_distance, config.flips, config.places)
    joined = leaks.joined(named.pictures, ours, theirs, reach)
    near = looks.look(joined.candidates, named.reference, config, engine)
    crowd = looks.look(_crowd(joined, near.leaks), named.reference, config, engine)
    for picture, why in (*near.failures, *crowd.failures):
        notes.add("corrupt", named.where(picture), f"can't be compared: {why}")
    return near.leaks + crowd.leaks


def _crowd(joined: leaks.Joined, centers: list[Look]) -> Candidates:
    """The others of each crowd whose center leaks, with what it leaks from."""
    leaking = {look.ours: look.candidate for look in centers}
    pairs = zip(joined.center.tolist(), joined.others.tolist(), strict=True)
    rows = [(other, met) for center, other in pairs if center in leaking and (met := leaking[center])]
    return Candidates(
        np.array([other for other, _ in rows], np.int64),
        np.array([met.theirs for _, met in rows], np.int64),
        np.array([met.way for _, met in rows], np.uint16),
        np.array([met.hint for _, met in rows], HINT),
    )


@dataclass(frozen=True)
class _Named:
    """Pictures, and what they are called."""

    pictures: Pictures
    tars: list[ScannedTar]
    splits: list[Split]
    uris: list[str]  # of the tars

    def where(self, row: int) -> str:
        tar = self._tar(row)
        return f"{tar.tar.name}/{tar.scan.runs[int(self.pictures.run[row])]}.{self.pictures.suffix[row]}"

    def reference(self, row: int) -> Reference:
        uri = self.uris[int(self.pictures.tar[row])]
        return Reference(uri, int(self.pictures.offset[row]), int(self.pictures.size[row]))

    def leak(self, look: Look) -> Leak:
        return Leak(self._sighting(look.ours), self._sighting(look.theirs), look.relation, look.fit)

    def _sighting(self, row: int) -> Sighting:
        return Sighting(
            clipped(self.where(row)), self.splits[self._tar(row).split].label, self.reference(row)
        )

    def _tar(self, row: int) -> ScannedTar:
        return self.tars[int(self.pictures.tar[row])]
