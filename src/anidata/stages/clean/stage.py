"""Clean: keep or reject each picture by thresholds on its columns, and name every rule that it broke. No picture is opened."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anidata import recipe
from anidata.catalog import catalog, schemas, tables
from anidata.imaging.fit import Fit
from anidata.recipe import Amount, Count, Share
from anidata.stages.clean.rules import RULES, Rule, Values, margin
from anidata.stages.dedup import stage as dedup
from anidata.workspace import Workspace

VERSION = 2
SLICE = 1 << 14  # pictures decided at once
LEAST_MARGIN = np.nextafter(0, 1)  # of `where`, which knows no more or less: it stands last
ENLARGEMENT = {  # times that a picture is enlarged to fill the page of a data set, by how it is fitted
    "pad": "$size / greatest(width, height)",
    "crop": "$size / least(width, height)",
    "bucket": "$size / sqrt(width::DOUBLE * height)",
}
SPAN = 3.29  # standard deviations from the 5th to the 95th percentile
FAR = 10.0  # deviations beyond which one number counts no more


@dataclass(frozen=True)
class Config:
    """Which pictures are good enough; 0 (1 for a share that may not be exceeded) switches a rule off."""

    min_side: Count = 256  # px of the shorter side
    max_enlargement: Amount = (
        0.0  # times that a picture may be enlarged to the data set's size (lineart.size)
    )
    max_aspect: Amount = 4.0  # long side over short side
    max_flatness: Share = 0.953  # 1 is a single tone; .953 leaves 12 of 255 grey levels
    min_chroma: Amount = 6.0  # grey levels between the channels in the most colorful 1 %: less is monochrome
    min_white_point: Amount = 30.0  # luma of the lightest 1 %: less is too dark to see
    min_contrast: Amount = (
        24.0  # levels of luma between the darkest and the lightest 1 % of a light picture: less is washed out
    )
    min_sharpness: Share = 0.16  # of edges, by their width: blurred and enlarged pictures lie below
    max_jpeg_blocks: Amount = (
        0.45  # how plainly JPEG's blocks show: quality 10 has 1 and more, 25 from .4 upward
    )
    max_noise: Amount = 2.8  # levels of luma
    max_line_drawing: Share = 0.75  # of what is drawn, that is mere line in one tone
    max_text_page: Share = 0.6  # of the ink, that stands in rows of letters
    max_pixel_art: Share = 0.7  # 1 is enlarged pixels
    max_border: Share = (
        1.0  # of the picture, that is flat bars along its sides; .5 spares all but boxes on plain ground
    )
    max_photo: Share = 1.0  # off: how much it looks like a photograph, a hint that fails one time in ten
    min_jpeg_quality: Count = 0  # of the file, 1 to 100; what it went through before shows in max_jpeg_blocks
    max_outlier: Amount = 0.0  # how far a picture may stand from the rest in all these numbers, in standard deviations: 4 is far
    where: str = ""  # SQL condition on the picture's columns, such as: rating in ('g','s') and list_contains(tags, '1girl')


@dataclass(frozen=True)
class Target:
    """The pages of the data set that pictures are cleaned for."""

    size: int = 512  # px
    fit: Fit = "pad"


def run(workspace: Workspace, config: Config, target: Target = Target()) -> Counter[str]:
    """Decide again if a threshold or a column has changed; what dedup chose before is chosen anew among the survivors."""
    if is_current(workspace, config, target):
        return Counter()
    found = state(workspace, config, target)
    with catalog.Catalog(workspace, decided=False) as views:
        decided = tables.write_batches(
            _path(workspace), decide(views, workspace, config, target), schemas.CLEAN, {"state": found}
        )
    dedup.decide_again(workspace)
    return Counter(decided=decided)


def state(workspace: Workspace, config: Config, target: Target) -> str:
    """Changes with anything that the decisions depend on."""
    aim = target if config.max_enlargement else None
    return recipe.fingerprint(
        VERSION, config, aim, tables.state_of(workspace.folder("images"), workspace.folder("records"))
    )


def is_current(workspace: Workspace, config: Config, target: Target = Target()) -> bool:
    return tables.made_from(_path(workspace)).get("state") == state(workspace, config, target)


def decide(
    views: catalog.Catalog, workspace: Workspace, config: Config, target: Target
) -> Iterator[pa.RecordBatch]:
    """Key and reasons of every readable picture, the gravest (largest margin) first, a slice at a time."""
    failing = _failing(workspace, config.where)
    for batch in _read_ahead(
        views.batches(f"SELECT key, {columns(views, config, target)} FROM _seen WHERE error IS NULL", SLICE)
    ):
        keys, found = batch.column("key"), margins(batch, config)
        if len(failing):
            found = np.vstack([found, pc.is_in(keys, failing).to_numpy(zero_copy_only=False) * LEAST_MARGIN])
        yield pa.RecordBatch.from_arrays([keys, _named(found)], schema=schemas.CLEAN)


def _read_ahead(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same; the next slice is read by another thread while one is decided on."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = reader.submit(next, batches, None)
            yield batch


def columns(views: catalog.Catalog, config: Config, target: Target) -> str:
    """The SQL of every rule's value, as a column named by its reason."""
    return ", ".join(
        f"({sql})::DOUBLE AS {reason}" for reason, sql in expressions(views, config, target).items()
    )


def expressions(views: catalog.Catalog, config: Config, target: Target) -> dict[str, str]:
    """Reason → SQL of the value that the rule looks at."""
    told = {
        "$enlargement": ENLARGEMENT[target.fit].replace("$size", str(target.size)),
        "$outlier": _outlier(views) if config.max_outlier else "NULL",
        "$max_flatness": repr(config.max_flatness),
    }
    return {r.reason: reduce(lambda sql, name: sql.replace(name, told[name]), told, r.value) for r in RULES}


def margins(pictures: pa.RecordBatch | pa.Table, config: Config) -> Values:
    """(rules, pictures): how far each rule is broken."""
    return np.stack([margin(values(pictures, r), getattr(config, r.setting), r) for r in RULES])


def values(pictures: pa.RecordBatch | pa.Table, rule: Rule) -> Values:
    """A rule's column; nan where there is no value."""
    return np.asarray(pictures.column(rule.reason).to_numpy(zero_copy_only=False), np.float64)


def _failing(workspace: Workspace, where: str) -> pa.Array:
    if not where:
        return pa.array([], pa.string())
    with catalog.Sealed(workspace) as views:
        return pa.array(sorted(views.failing(where)), pa.string())


def _named(found: Values) -> pa.ListArray:
    """The names of the rules that each picture broke, by falling margin."""
    counts = np.count_nonzero(found > 0, axis=0)
    rejected = np.flatnonzero(counts)
    order = np.argsort(-found[:, rejected], axis=0, kind="stable").T
    broken = np.arange(len(found)) < counts[rejected, None]
    names = pa.array([*(r.reason for r in RULES), "where"], pa.string())
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
    return pa.ListArray.from_arrays(offsets, names.take(pa.array(order[broken])))


def _outlier(views: catalog.Catalog) -> str:
    """SQL of the root mean square of a picture's robust z-scores (distance from the median by the span of nine tenths), over the measures that vary."""
    names = [
        name
        for name, kind in schemas.measures().items()
        if pa.types.is_floating(kind) or pa.types.is_integer(kind)
    ]
    asked = ", ".join(f"quantile_cont({n}, [0.05, 0.5, 0.95])::DOUBLE[] AS {n}" for n in names)
    found = views.select(f"SELECT {asked} FROM _seen WHERE error IS NULL").to_pylist()[0]
    spread = {
        n: (q[1], (q[2] - q[0]) / SPAN) for n, q in found.items() if q and q[2] > q[0]
    }  # null without pictures
    scores = [f"least(abs({n} - {middle!r}) / {unit!r}, {FAR}) ** 2" for n, (middle, unit) in spread.items()]
    return f"sqrt(({' + '.join(scores)}) / {len(scores)})" if scores else "NULL"


def _path(workspace: Workspace) -> Path:
    return workspace.folder("decisions") / "clean.parquet"
