"""Verifying, in a worker: what the pictures of candidate pairs are to each other, by looking at both files.

Each picture of a part is opened once, however many pairs it is in. What can't be opened now has no relation:
the next run asks again.
"""

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from itertools import count
from typing import NamedTuple, NotRequired, TypedDict

import numpy as np
import pyarrow as pa

from anidata.catalog import catalog, schemas, tables
from anidata.duplicates import alignment, evidence, place_overlap, relation, retouch, ways
from anidata.duplicates import pairs as pair_arrays
from anidata.duplicates.alignment import Pixels, View
from anidata.duplicates.page import Page
from anidata.duplicates.place_agreement import HINT
from anidata.engine.engine import Watch
from anidata.engine.memory import within_memory
from anidata.errors import BadImage
from anidata.imaging import decode
from anidata.imaging.reopen import Reader
from anidata.stages.dedup.state import relation_version
from anidata.storage import Location

# In a part, about: small clusters are gathered, crowds are cut.
PICTURES = 64
PAIRS = 2048
# Bytes of pixels that a part keeps at hand, so that what is looked at again needn't be opened again.
HELD = 48 << 20
PAGES = 32  # of these, of which is kept what comparisons ask of them again: some 2 MB each
COPIES = ("reencoded", "crop")
IN_PLACE = ("reencoded", "flip", "turn")  # relations of pictures that may lie pixel on pixel
UNRELATED = relation.Related("unrelated")

Places = dict[str, list[Location]]  # key → where its bytes lie
Whole = Callable[[], tuple[Page, Page]]  # opens both pictures at full resolution. Raises: BadImage


class CandidatePair(TypedDict):
    """Two pictures to look at, and, when that is done, their relation, as schemas.RELATIONS has it."""

    a: str
    b: str
    mirrored: (
        str  # as the codes met: as they are (`no`), mirrored (`yes`), in both ways, in `neither`, by `places`
    )
    turned: int  # by which turns they met, a bit set of ways.TURNS
    # where places say that b shows a, as place_agreement.HINT has it; None: they say nothing
    scale: float | None
    dx: float | None
    dy: float | None
    relation: NotRequired[str]
    better: NotRequired[str | None]  # `a` or `b`
    because: NotRequired[str | None]
    holds: NotRequired[bool]  # whether components may grow over it


@dataclass(frozen=True)
class VerifyPart:
    """Candidate pairs, and where the bytes of their pictures lie."""

    name: str
    pairs: list[CandidatePair]
    places: Places
    reader: Reader


def hint_of(pair: CandidatePair) -> np.void | None:
    """Where places say that b shows a, a place_agreement.HINT; None: they say nothing."""
    if pair["scale"] is None:
        return None
    hint: np.void = np.array((pair["scale"], pair["dx"], pair["dy"], 0), HINT)[()]
    return hint


def plan(reader: Reader, pairs: list[CandidatePair]) -> list[VerifyPart]:
    """Pairs as parts, each cluster's together."""
    keys = pa.table({"key": pa.array(_keys(pairs), pa.string())})
    with catalog.Catalog(reader.workspace) as views:
        rows = views.select("SELECT key, places FROM _places JOIN _waiting USING (key)", _waiting=keys)
    places: Places = {row["key"]: row["places"] for row in rows.to_pylist()}
    taken = {p.stem for p in tables.files(reader.workspace.folder("relations"))}
    free = (name for n in count() if (name := f"part-{n:05d}") not in taken)
    return [VerifyPart(next(free), some, _places_of(some, places), reader) for some in _gathered(pairs)]


def verify_part(part: VerifyPart, watch: Watch) -> list[CandidatePair]:
    """Look at each picture once; publish and return the relation of each pair that could be opened."""
    seen, held, left = {}, {}, HELD
    for (key, places), failure in watch.each(list(part.places.items())):
        if failure is None:
            try:
                with within_memory():
                    rgb = part.reader.decode(places, key).rgb
                    seen[key] = alignment.thumbnail(rgb)
            except BadImage:
                continue
            if rgb.nbytes <= left:
                held[key], left = rgb, left - rgb.nbytes
    rows = list(_related(part, seen, held))
    if rows:
        path = part.reader.workspace.folder("relations") / f"{part.name}.parquet"
        versions = relation_version()
        tables.write(path, tables.table(rows, schemas.RELATIONS), {"version": versions})
    return rows


def _related(part: VerifyPart, seen: dict[str, Pixels], held: dict[str, Pixels]) -> Iterator[CandidatePair]:
    """Yield the pairs of which both thumbnails were seen, with their relations.

    held: pictures at full resolution, as many as fit.
    """
    view = lru_cache(PICTURES)(lambda key: View(seen[key]))
    page = lru_cache(PAGES)(lambda key: Page(held[key]))
    for pair in part.pairs:
        a, b = pair["a"], pair["b"]
        if a in seen and b in seen:
            whole = partial(_whole, part, held, page, (a, b))
            met = pair["mirrored"], whole, pair["turned"], hint_of(pair)
            judged = pair_judged(view(a), view(b), *met)
            better, because = judged.evidence
            yield pair | {
                "relation": judged.relation,
                "better": better,
                "because": because,
                "holds": judged.holds,
            }


def _whole(
    part: VerifyPart, held: Container[str], page: Callable[[str], Page], keys: tuple[str, str]
) -> tuple[Page, Page]:
    one, other = (page(key) if key in held else _opened(part.reader, part.places, key) for key in keys)
    return one, other


def both(reader: Reader, places: Places, a: str, b: str) -> tuple[Page, Page]:
    """Two pictures at full resolution, by their keys. Raises: BadImage."""
    return _opened(reader, places, a), _opened(reader, places, b)


def _opened(reader: Reader, places: Places, key: str) -> Page:
    return Page(reader.decode(places[key], key).rgb)


class Judged(NamedTuple):
    """Two pictures' relation, which of them is the better one, and whether components may grow over it."""

    relation: str
    evidence: evidence.Evidence
    holds: bool = True


def pair_relation(
    a: View, b: View, mirrored: str, whole: Whole, turned: int = 0, hint: np.void | None = None
) -> str:
    """The relation of two pictures, by their thumbnails.

    mirrored, turned, hint: how the codes met, as `CandidatePair` has it.
    whole: opens both at full resolution. Few pairs are worth it.
    """
    whole = cache(whole)  # several looks, one opening
    related = looked_at(a, b, mirrored, whole, turned)
    if related.relation != "unrelated" or hint is None:
        return related.relation
    return _by_places(a, b, hint, whole).relation


def pair_judged(
    a: View, b: View, mirrored: str, whole: Whole, turned: int = 0, hint: np.void | None = None
) -> Judged:
    """The relation of two pictures as `pair_relation` has it, and the better one of copies."""
    whole = cache(whole)
    related = looked_at(a, b, mirrored, whole, turned)
    if related.relation == "unrelated" and hint is not None:
        return _by_places(a, b, hint, whole)
    try:
        with within_memory():
            return Judged(related.relation, evidence.compare(related, whole))
    except BadImage:  # gone since: what the thumbnails say stands
        return Judged(related.relation, evidence.NONE)


def _by_places(a: View, b: View, hint: np.void, whole: Whole) -> Judged:
    """What two pictures share where places say that the one shows the other."""
    try:
        with within_memory():
            shared = place_overlap.judged(a, b, hint, whole)
    except BadImage:  # gone since, and thumbnails can't tell
        return Judged("unrelated", evidence.NONE)
    return Judged(shared.relation, evidence.Evidence(shared.better, shared.because), shared.holds)


def looked_at(a: View, b: View, mirrored: str, whole: Whole, turned: int = 0) -> relation.Related:
    """What two pictures are to each other as the windows met; nothing where no windows did."""
    glance = _at_a_glance(a, b, mirrored)
    if glance.relation == "unrelated":
        glance = _turned(a, b, turned)
    try:
        with within_memory():
            is_drawn_on = _is_drawn_on(glance, whole)
    except BadImage:  # gone since: what the thumbnails say stands
        return glance
    return relation.Related("variant") if is_drawn_on else glance


def _is_drawn_on(glance: relation.Related, whole: Whole) -> bool:
    """Whether full resolution shows what thumbnails lose: the one was drawn on."""
    tried = glance.tried
    if tried is None:
        return False
    if glance.relation in IN_PLACE and retouch.may_be(tried.laid.rgb, tried.ground.rgb):
        laid, ground = evidence.in_order(glance, *whole())
        if retouch.is_retouched(laid.rgb, ground.rgb):
            return True
    if tried.left.spot < retouch.SUSPECT:
        return False
    laid, ground = evidence.in_order(glance, *whole())
    return retouch.stands_out(laid.rgb, ground.rgb, tried.fit)


def _at_a_glance(a: View, b: View, mirrored: str) -> relation.Related:
    straight = relation.related(a, b) if mirrored in ("no", "both") else UNRELATED
    if straight.relation in COPIES or mirrored not in ("yes", "both"):
        return straight
    flipped = relation.related(a, b, flipped=True)
    return flipped if flipped.relation == "flip" or straight.relation == "unrelated" else straight


def _turned(a: View, b: View, turned: int) -> relation.Related:
    """What two that are nothing to each other as they lie, nor mirrored, are by some turn."""
    first = UNRELATED
    for way in ways.turns(turned):
        seen = relation.related(a, b, way.mirrored, way.quarters)
        if seen.relation == "turn":
            return seen
        first = seen if first.relation == "unrelated" else first
    return first


def _gathered(pairs: list[CandidatePair]) -> Iterator[list[CandidatePair]]:
    """Yield the pairs in lists: cluster after cluster, a list closed when it has enough pictures or pairs."""
    gathered: list[CandidatePair] = []
    for cluster in _clustered(pairs):
        for start in range(0, len(cluster), PAIRS):
            gathered += cluster[start : start + PAIRS]
            if len(gathered) >= PAIRS or len(_keys(gathered)) >= PICTURES:
                yield gathered
                gathered = []
    if gathered:
        yield gathered


def _clustered(pairs: list[CandidatePair]) -> Iterable[list[CandidatePair]]:
    """The pairs of each cluster, in the order in which they come."""
    keys = _keys(pairs)
    index = {key: n for n, key in enumerate(keys)}
    a = np.array([index[pair["a"]] for pair in pairs], np.int64)
    b = np.array([index[pair["b"]] for pair in pairs], np.int64)
    label = pair_arrays.components(len(keys), a, b) if keys else a
    clusters: dict[int, list[CandidatePair]] = {}
    for pair, cluster in zip(pairs, label[a].tolist(), strict=True):
        clusters.setdefault(cluster, []).append(pair)
    return clusters.values()


def _keys(pairs: Iterable[CandidatePair]) -> list[str]:
    """The keys of all pictures that are in a pair, sorted."""
    return sorted({key for pair in pairs for key in (pair["a"], pair["b"])})


def _places_of(pairs: Iterable[CandidatePair], places: Places) -> Places:
    return {key: places[key] for key in _keys(pairs) if key in places}
