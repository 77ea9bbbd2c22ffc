"""Audit: integrity and leakage of finished shards, anidata's own or anyone's WebDataset.

Three passes: checksums; the headers of each tar; its contents, decoded in chunks, of which only codes come
back. Then the codes of each split are joined with those of the others, and the pairs that meet are looked at,
as dedup joins and looks: what it would link leaks. What findings are called:

    manifest checksum missing extra      files, and what the manifest says of them
    tar scattered repeated unsafe_name   how a tar is built
    suffixes json index metadata         samples unlike the others, tables unlike the tars
    corrupt size polarity                pictures
    leak_exact leak_near leak_key        what two splits share, or the two configs of an unpaired set
    leak_cluster                         a cluster that they share, by the metadata

Beside them it tells how much of the color the gray of each style's lines gives away (see probe): no defect,
but good to know.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from anidata.audit import clusters, contents, files, headers
from anidata.audit.config import Config
from anidata.audit.files import Dataset
from anidata.audit.headers import ScannedTar
from anidata.audit.leaks import Split
from anidata.audit.pairs import Leak
from anidata.audit.tar import Notes
from anidata.engine.engine import Engine

__all__ = ["Config", "Finding", "Report", "run"]


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be."""

    code: str
    where: str  # tar/member, below the data set; led by the data set's name where there are several
    message: str
    relation: str = ""  # of two pictures, of which one leaks: as dedup has them


@dataclass(frozen=True, kw_only=True)
class Report:
    """Result of an audit."""

    samples: dict[str, int]  # by split; of an unpaired set by CONFIG-SPLIT
    shards: int
    findings: list[Finding]  # the first of each code
    counts: dict[str, int]  # all of each code
    # Suffix of lines → `gray` and `binarized`: R² at which they predict color; no finding.
    told: dict[str, dict[str, float]]
    leaks: list[Leak]  # pictures that two splits share, the first of them: to be shown

    @property
    def sound(self) -> bool:
        return not self.counts

    def to_json(self) -> dict[str, Any]:
        named = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "leaks"}
        return {"sound": self.sound} | named | {"findings": [asdict(one) for one in self.findings]}


def run(datasets: Sequence[Path], config: Config, engine: Engine) -> Report:
    """Audit data sets together: what one has in train, no other may have in test.

    Raises: WorkspaceError: no such folder or tar, or no tar in it. FormatError: a data set of another format.
        StorageError.
    """
    opened = files.open_datasets(datasets)
    notes = Notes(config.examples)
    for dataset in opened:
        files.check_manifest(dataset, notes, engine)
    splits, tars = headers.scan(opened, notes, config, engine)
    for number, dataset in enumerate(opened):
        own = [tar for tar in tars if tar.dataset == number]
        headers.check_suffixes(own, splits, notes)
        files.check_tables(dataset, {tar.tar.path: tar.scan.samples for tar in own}, notes, engine)
        clusters.check(dataset, own, splits, notes, config, engine)
    headers.check_keys(tars, splits, notes)
    inside = contents.check(tars, splits, notes, config, engine)
    return Report(
        samples=_count_samples(opened, splits, tars),
        shards=len(tars),
        findings=[Finding(code, *note) for code in sorted(notes.kept) for note in notes.kept[code]],
        counts=dict(sorted((+notes.counts).items())),
        told=inside.told,
        leaks=inside.leaks,
    )


def _count_samples(datasets: list[Dataset], splits: list[Split], tars: list[ScannedTar]) -> dict[str, int]:
    samples: Counter[str] = Counter()
    for tar in tars:
        samples[datasets[tar.dataset].prefix + splits[tar.split].label] += tar.scan.samples
    return dict(samples)
