"""Audit: integrity and leakage of finished shards, anidata's own or anyone's WebDataset.

Three passes: checksums; the headers of each tar; its contents, decoded in chunks, of which only codes come back. Then the codes of
each split are joined with those of the others. What findings are called:

    manifest checksum missing extra      files, and what the manifest says of them
    tar scattered repeated unsafe_name   how a tar is built
    suffixes json index metadata         samples unlike the others, tables unlike the tars
    corrupt size polarity                pictures
    leak_exact leak_near leak_key        what two splits share

Beside them it tells how much of the color the gray of each style's lines gives away (see probe): no defect, but good to know.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from anidata.audit import files
from anidata.audit import leaks as audit_leaks
from anidata.audit import samples as audit_samples
from anidata.audit import tar as audit_tar
from anidata.audit.files import Dataset
from anidata.audit.leaks import Pictures, Split, Spool
from anidata.audit.samples import Chunk, Schemas, Seen
from anidata.audit.tar import Notes, Scan, Tar
from anidata.engine.engine import Engine, Limits
from anidata.lineart import color_leak
from anidata.recipe import Amount, Count, Positive, Share

HASH = re.compile(
    r"[0-9a-f]{24}"
)  # a key made from content: the same one in two data sets is the same picture; a number may recur
CHUNK = 2048  # samples that a worker decodes in one go; it walks the headers before them again


@dataclass(frozen=True)
class Config:
    """Check finished shards."""

    max_distance: Count = 6  # bits of 64 in which the phashes of two near-duplicates may differ
    min_likeness: Share = 0.6  # correlation of their outlines at the least
    max_pixels: Positive = 100_000_000  # width × height; a larger picture is too_large
    max_bytes: Positive = 268_435_456  # of one file
    time_limit: Amount = 60.0  # seconds for one sample; 0: none
    memory_limit: Count = 4_294_967_296  # bytes a worker may take; 0: no limit
    examples: Positive = 20  # findings of a code that are told; all are counted


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be."""

    code: str
    where: str  # tar/member, below the data set; led by the data set's name where there are several
    message: str


@dataclass(frozen=True)
class Report:
    """What an audit found."""

    samples: dict[str, int]  # by split
    shards: int
    findings: list[Finding]  # the first of each code
    counts: dict[str, int]  # all of each code
    told: dict[
        str, dict[str, float]
    ]  # suffix of lines → `gray` and `binarized`: R² at which they predict color; no finding

    @property
    def sound(self) -> bool:
        return not self.counts

    def to_json(self) -> dict[str, Any]:
        return {"sound": self.sound} | asdict(self)


@dataclass(frozen=True)
class _Shard:
    """A tar whose headers have been walked."""

    tar: Tar
    dataset: int
    split: int  # its place in the list of splits
    scan: Scan


def run(datasets: Sequence[Path], config: Config, engine: Engine) -> Report:
    """Audit data sets together: what one has in train, no other may have in test.

    Raises: WorkspaceError: no such folder or tar, or no tar in it. FormatError: a data set of another format. StorageError.
    """
    found = files.open_datasets(datasets)
    notes = Notes(config.examples)
    for dataset in found:
        files.check_manifest(dataset, notes, engine)
    splits, shards = _scan(found, notes, config, engine)
    for number, dataset in enumerate(found):
        own = [s for s in shards if s.dataset == number]
        _check_suffixes([s.scan for s in own], [s.tar.name for s in own], notes)
        files.check_tables(dataset, {s.tar.path: s.scan.samples for s in own}, notes, engine)
    _check_keys(shards, splits, notes)
    told = _check_contents(shards, splits, notes, config, engine)
    return _report(found, splits, shards, notes, told)


def _report(
    datasets: list[Dataset],
    splits: list[Split],
    shards: list[_Shard],
    notes: Notes,
    told: dict[str, dict[str, float]],
) -> Report:
    samples: Counter[str] = Counter()
    for shard in shards:
        samples[datasets[shard.dataset].prefix + splits[shard.split].name] += shard.scan.samples
    findings = [
        Finding(code, where, text) for code, kept in sorted(notes.kept.items()) for where, text in kept
    ]
    return Report(dict(samples), len(shards), findings, dict(sorted((+notes.counts).items())), told)


# --- headers ------------------------------------------------------------------------------------------------


def _scan(
    datasets: list[Dataset], notes: Notes, config: Config, engine: Engine
) -> tuple[list[Split], list[_Shard]]:
    """The splits, those of training first, and all tars in the order of their names."""
    tars = [
        (number, tar) for number, dataset in enumerate(datasets) for tar in _readable(dataset, notes, config)
    ]
    given = files.limits(tar.path for _, tar in tars)
    scans = dict(
        engine.map(
            audit_tar.scan,
            [tar for _, tar in tars],
            limits=given,
            label="headers",
            total=len(tars),
            unit="tars",
        )
    )
    split_of = {tar: _split(datasets[number], number, tar) for number, tar in tars}
    splits = sorted(set(split_of.values()), key=lambda s: (s.role != "train", s.dataset, s.name))
    shards = [_Shard(tar, number, splits.index(split_of[tar]), scans[tar]) for number, tar in tars]
    for shard in shards:
        notes.take(shard.scan.notes)
    return splits, shards


def _readable(dataset: Dataset, notes: Notes, config: Config) -> Iterator[Tar]:
    for path in dataset.tars:
        if dataset.strays(path) or not path.is_file():
            notes.add(
                "tar", dataset.where(path), "is no file, or a link that leads out of the data set: not read"
            )
        else:
            yield Tar(path, dataset.where(path), dataset.beside(path, "index", ".idx"), config.examples)


def _split(dataset: Dataset, number: int, tar: Tar) -> Split:
    name = files.split_of(tar.path, dataset.root)
    return Split(number, name, files.ROLES.get(name, name))


def _check_suffixes(scans: list[Scan], names: list[str], notes: Notes) -> None:
    """Most samples of a data set say which files a sample has; between two equally frequent answers, the one with more files."""
    counts: Counter[frozenset[str]] = Counter()
    for scan in scans:
        counts.update({layout: count for layout, (count, _) in scan.layouts.items()})
    usual = max(counts, key=lambda layout: (counts[layout], len(layout), sorted(layout)), default=frozenset())
    for scan, name in zip(scans, names, strict=True):
        for layout, (count, keys) in sorted(scan.layouts.items(), key=lambda entry: entry[1][1]):
            if layout != usual:
                _add_all(
                    notes, "suffixes", [f"{name}/{key}" for key in keys], _difference(layout, usual), count
                )


def _difference(layout: frozenset[str], usual: frozenset[str]) -> str:
    lacks, has = ", ".join(sorted(usual - layout)), ", ".join(sorted(layout - usual))
    return (
        " and ".join([f"lacks {lacks}"] * bool(lacks) + [f"has {has}"] * bool(has)) + ", unlike most samples"
    )


def _add_all(notes: Notes, code: str, where: list[str], message: str, count: int) -> None:
    """Findings of which only the first have been kept."""
    for place in where:
        notes.add(code, place, message)
    notes.counts[code] += count - len(where)


def _check_keys(shards: list[_Shard], splits: list[Split], notes: Notes) -> None:
    """A key has one place in a data set; one that is a hash, one split in all of them."""
    seen: dict[str, int] = {}  # key → the splits it was met in, a bit for each
    for shard in shards:
        here, bit = splits[shard.split], 1 << shard.split
        within = sum(1 << n for n, s in enumerate(splits) if s.dataset == here.dataset and s != here)
        across = sum(
            1 << n for n, s in enumerate(splits) if s.dataset != here.dataset and audit_leaks.apart(s, here)
        )
        for key in dict.fromkeys(shard.scan.runs):
            met = seen.get(key, 0)
            seen[key] = met | bit
            if met & bit:
                notes.add("repeated", f"{shard.tar.name}/{key}", "another tar has a sample of this name")
            if met & (within | (across if HASH.fullmatch(key) else 0)):
                others = [s.name for n, s in enumerate(splits) if met >> n & 1 and audit_leaks.apart(s, here)]
                notes.add(
                    "leak_key",
                    f"{shard.tar.name}/{key}",
                    f"{', '.join(others)} and {here.name} have a sample of this name",
                )


# --- contents -----------------------------------------------------------------------------------------------


def _check_contents(
    shards: list[_Shard], splits: list[Split], notes: Notes, config: Config, engine: Engine
) -> dict[str, dict[str, float]]:
    """Look into the samples; what comes back is what their lines give away."""
    spool, found = Spool(), dict[Chunk, Seen]()
    number = {shard.tar: n for n, shard in enumerate(shards)}
    for chunk, seen in _look(shards, config, engine):
        spool.add(number[chunk.tar], seen.pictures)
        found[chunk] = replace(seen, pictures=[])
    done = sorted(found, key=lambda chunk: (number[chunk.tar], chunk.start))
    for chunk in done:
        notes.take(found[chunk].notes)
    schemas: dict[int, list[Schemas]] = defaultdict(list)
    for chunk in done:
        schemas[shards[number[chunk.tar]].dataset].append(found[chunk].schemas)
    for of_dataset in schemas.values():
        _check_schemas(of_dataset, notes)
    pictures = spool.pictures()
    if pictures is not None:
        _check_leaks(pictures, shards, splits, notes, config)
    return _told([found[chunk].told for chunk in done])


def _told(found: list[audit_samples.Told]) -> dict[str, dict[str, float]]:
    """For each suffix of lines the worst R² of the leak test, as they are and binarized; none where there was nothing to learn from."""
    answers: dict[str, dict[str, float]] = {}
    for suffix in sorted({suffix for told in found for suffix in told}):
        sums = np.sum([told[suffix] for told in found if suffix in told], axis=0)
        worst = [color_leak.leak(part).worst for part in sums]
        if not np.isnan(worst).any():
            answers[suffix] = {
                name: round(value, 4) for name, value in zip(("gray", "binarized"), worst, strict=True)
            }
    return answers


def _look(shards: list[_Shard], config: Config, engine: Engine) -> Iterator[tuple[Chunk, Seen]]:
    chunks = [
        Chunk(s.tar, n, n + CHUNK, config.max_pixels, config.max_bytes)
        for s in shards
        for n in range(0, len(s.scan.runs), CHUNK)
    ]
    total = sum(len(s.scan.runs) for s in shards)
    given = Limits(config.time_limit, config.memory_limit)
    return engine.map(audit_samples.look, chunks, limits=given, label="pictures", total=total, unit="samples")


def _check_schemas(found: list[Schemas], notes: Notes) -> None:
    """Every JSON has the names and types of the first; null and an empty list go with any type, and wait for the first that tells."""
    first: dict[str, dict[str, str]] = {}
    for (suffix, schema), (count, where) in (entry for schemas in found for entry in schemas.items()):
        known = first.setdefault(suffix, dict(schema))
        if odd := [n for n, kind in schema if not _fits(kind, known.get(n))] + sorted(
            known.keys() - dict(schema).keys()
        ):
            _add_all(notes, "json", where, f"other names or types than the first: {', '.join(odd)}", count)
        else:
            first[suffix] = known | {n: kind for n, kind in schema if kind not in audit_samples.UNTYPED}


def _fits(kind: str, known: str | None) -> bool:
    return known is not None and (
        kind == known or kind in audit_samples.UNTYPED or known in audit_samples.UNTYPED
    )


def _check_leaks(
    pictures: Pictures, shards: list[_Shard], splits: list[Split], notes: Notes, config: Config
) -> None:
    split = np.array([s.split for s in shards], np.int64)[pictures.tar]
    for ours, theirs in audit_leaks.rivals(split, splits):
        same = audit_leaks.exact(pictures, ours, theirs)
        rest = np.setdiff1d(ours, same.ours)
        near = audit_leaks.near(pictures, rest, theirs, config.max_distance, config.min_likeness)
        for code, leaks, likeness in (
            ("leak_exact", same, "the same file as"),
            ("leak_near", near, "a near-duplicate of"),
        ):
            told = slice(0, config.examples)
            where = [_where(pictures, shards, i) for i in leaks.ours[told].tolist()]
            there = [f"{likeness} {_where(pictures, shards, i)}" for i in leaks.theirs[told].tolist()]
            for place, message in zip(where, there, strict=True):
                notes.add(code, place, message)
            notes.counts[code] += len(leaks.ours) - len(where)


def _where(pictures: Pictures, shards: list[_Shard], place: int) -> str:
    shard = shards[int(pictures.tar[place])]
    return f"{shard.tar.name}/{shard.scan.runs[int(pictures.run[place])]}.{pictures.suffix[place]}"
