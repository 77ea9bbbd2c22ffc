"""Audit, over all samples that workers saw: JSON unlike others, pictures in two splits, leaks of color."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from anidata.audit import pairs as audit_pairs
from anidata.audit import samples as audit_samples
from anidata.audit.config import Config
from anidata.audit.headers import ScannedTar
from anidata.audit.leaks import Split
from anidata.audit.pairs import Leak
from anidata.audit.pictures import Spool
from anidata.audit.samples import Chunk, ColorSums, Schemas, Seen
from anidata.audit.tar import Notes
from anidata.engine.engine import Engine, Limits
from anidata.lineart import color_leak

CHUNK = 2048  # samples that a worker decodes in one go; it walks the headers before them again


class Contents(NamedTuple):
    """What samples tell beside findings."""

    told: dict[str, dict[str, float]]  # how much of the color their lines give away, as `Report` has it
    leaks: list[Leak]  # the first of them


def check(
    tars: list[ScannedTar], splits: list[Split], notes: Notes, config: Config, engine: Engine
) -> Contents:
    """Look into the samples."""
    spool, seen = Spool(), dict[Chunk, Seen]()
    number = {tar.tar: n for n, tar in enumerate(tars)}
    for chunk, contents in _look(tars, splits, config, engine):
        spool.add(number[chunk.tar], contents.pictures)
        seen[chunk] = replace(contents, pictures=[])
    done = sorted(seen, key=lambda chunk: (number[chunk.tar], chunk.start))
    schemas: dict[tuple[int, str], list[Schemas]] = defaultdict(list)
    for chunk in done:
        notes.take(seen[chunk].notes)
        schemas[tars[number[chunk.tar]].dataset, chunk.config].append(seen[chunk].schemas)
    for of_dataset in schemas.values():
        _check_schemas(of_dataset, notes)
    pictures = spool.pictures()
    leaks = [] if pictures is None else audit_pairs.check(pictures, tars, splits, notes, config, engine)
    return Contents(_color_leaks([seen[chunk].color_sums for chunk in done]), leaks)


def _look(
    tars: list[ScannedTar], splits: list[Split], config: Config, engine: Engine
) -> Iterator[tuple[Chunk, Seen]]:
    limits = (config.max_pixels, config.max_bytes)
    chunks = [
        Chunk(tar.tar, start, start + CHUNK, *limits, splits[tar.split].config)
        for tar in tars
        for start in range(0, len(tar.scan.runs), CHUNK)
    ]
    total = sum(len(tar.scan.runs) for tar in tars)
    given = Limits(config.time_limit, config.memory_limit)
    return engine.map(audit_samples.look, chunks, limits=given, label="pictures", total=total, unit="samples")


def _check_schemas(several: list[Schemas], notes: Notes) -> None:
    """Every JSON has the names and types of the first.

    Null and an empty list go with any type, and wait for the first that tells.
    """
    first: dict[str, dict[str, str]] = {}
    for (suffix, schema), files in (item for schemas in several for item in schemas.items()):
        known = first.setdefault(suffix, dict(schema))
        unfit = [name for name, kind in schema if not _fits(kind, known.get(name))]
        if odd := unfit + sorted(known.keys() - dict(schema).keys()):
            notes.add_all("json", files, f"other names or types than the first: {', '.join(odd)}")
        else:
            typed = {name: kind for name, kind in schema if kind not in audit_samples.UNTYPED}
            first[suffix] = known | typed


def _fits(kind: str, known: str | None) -> bool:
    if known is None:
        return False
    return kind == known or kind in audit_samples.UNTYPED or known in audit_samples.UNTYPED


def _color_leaks(several: list[ColorSums]) -> dict[str, dict[str, float]]:
    """For each suffix of lines the worst R² of the leak test, as they are and binarized.

    None where there was nothing to learn from.
    """
    leaks: dict[str, dict[str, float]] = {}
    for suffix in sorted({suffix for sums in several for suffix in sums}):
        total = np.sum([sums[suffix] for sums in several if suffix in sums], axis=0)
        gray, binarized = (color_leak.leak(part).worst for part in total)
        if not np.isnan([gray, binarized]).any():
            leaks[suffix] = {"gray": round(gray, 4), "binarized": round(binarized, 4)}
    return leaks
