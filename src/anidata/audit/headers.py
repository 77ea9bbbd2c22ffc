"""Audit, over the headers of all tars: whether samples are alike, and keys that two splits share."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from anidata.audit import files
from anidata.audit import tar as audit_tar
from anidata.audit.config import Config
from anidata.audit.files import Dataset
from anidata.audit.leaks import Split, apart
from anidata.audit.tar import Layout, Notes, Scan, Tally, Tar
from anidata.engine.engine import Engine

# A key made from content: the same one in two data sets is the same picture; a number may recur.
HASH = re.compile(r"[0-9a-f]{24}")


@dataclass(frozen=True)
class ScannedTar:
    """A tar whose headers have been walked."""

    tar: Tar
    dataset: int
    split: int  # its place in the list of splits
    scan: Scan


def scan(
    datasets: list[Dataset], notes: Notes, config: Config, engine: Engine
) -> tuple[list[Split], list[ScannedTar]]:
    """The splits, those of training first, and all tars in the order of their names."""
    numbered = [
        (number, tar) for number, dataset in enumerate(datasets) for tar in _readable(dataset, notes, config)
    ]
    tars = [tar for _, tar in numbered]
    given = files.limits(tar.path for tar in tars)
    done = engine.map(audit_tar.scan, tars, limits=given, label="headers", total=len(tars), unit="tars")
    scans = dict(done)
    split_of = {tar: _split(datasets[number], number, tar) for number, tar in numbered}
    splits = sorted(set(split_of.values()), key=lambda s: (s.role != "train", s.dataset, s.label))
    for tar in tars:
        notes.take(scans[tar].notes)
    return splits, [ScannedTar(tar, n, splits.index(split_of[tar]), scans[tar]) for n, tar in numbered]


def _readable(dataset: Dataset, notes: Notes, config: Config) -> Iterator[Tar]:
    for path in dataset.tars:
        if dataset.strays(path) or not path.is_file():
            text = "is no file, or a link that leads out of the data set: not read"
            notes.add("tar", dataset.where(path), text)
        else:
            yield Tar(path, dataset.where(path), dataset.beside(path, "index", ".idx"), config.examples)


def _split(dataset: Dataset, number: int, tar: Tar) -> Split:
    name = files.split_of(tar.path, dataset.root)
    return Split(number, name, files.ROLES.get(name, name), files.config_of(tar.path))


def check_suffixes(tars: list[ScannedTar], splits: list[Split], notes: Notes) -> None:
    """Note samples whose files are unlike those of most samples of their data set, or config of it.

    Between two equally frequent answers, the one with more files.
    """
    for config in sorted({splits[tar.split].config for tar in tars}):
        _check_suffixes([tar for tar in tars if splits[tar.split].config == config], notes)


def _check_suffixes(tars: list[ScannedTar], notes: Notes) -> None:
    counts: Counter[Layout] = Counter()
    for tar in tars:
        counts.update({layout: tally.count for layout, tally in tar.scan.layouts.items()})
    usual = max(counts, key=lambda layout: (counts[layout], len(layout), sorted(layout)), default=frozenset())
    for tar in tars:
        for layout, keys in sorted(tar.scan.layouts.items(), key=lambda item: item[1].first):
            if layout != usual:
                where = Tally(keys.count, [f"{tar.tar.name}/{key}" for key in keys.first])
                notes.add_all("suffixes", where, _difference(layout, usual))


def _difference(layout: Layout, usual: Layout) -> str:
    lacks, has = sorted(usual - layout), sorted(layout - usual)
    parts = [f"{verb} {', '.join(names)}" for verb, names in (("lacks", lacks), ("has", has)) if names]
    return " and ".join(parts) + ", unlike most samples"


def check_keys(tars: list[ScannedTar], splits: list[Split], notes: Notes) -> None:
    """Note keys that recur: a key has one place in a data set; one that is a hash, one split in all."""
    seen: dict[str, int] = {}  # key → the splits it was met in, a bit for each
    for tar in tars:
        here, bit = splits[tar.split], 1 << tar.split
        within, across = _rival_bits(here, splits)
        for key in dict.fromkeys(tar.scan.runs):
            met = seen.get(key, 0)
            seen[key] = met | bit
            if met & bit:
                notes.add("repeated", f"{tar.tar.name}/{key}", "another tar has a sample of this name")
            if met & (within | (across if HASH.fullmatch(key) else 0)):
                others = [s.label for n, s in enumerate(splits) if met >> n & 1 and apart(s, here)]
                text = f"{', '.join(others)} and {here.label} have a sample of this name"
                notes.add("leak_key", f"{tar.tar.name}/{key}", text)


def _rival_bits(here: Split, splits: list[Split]) -> tuple[int, int]:
    """A bit for each other split of this data set, and for those of others that must not share with it."""
    within = across = 0
    for number, other in enumerate(splits):
        if other.dataset == here.dataset:
            within |= (other != here) << number
        else:
            across |= apart(other, here) << number
    return within, across
