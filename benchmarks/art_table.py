"""The packages of art.csv, and which half each is in."""

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

TABLE = Path(__file__).with_name("art.csv")
HALVES = ("fit", "check")


@dataclass(frozen=True, kw_only=True)
class Package:
    """A row of art.csv."""

    package: str
    source: str  # debian, npm or pypi
    version: str
    kind: str
    half: str
    license: str
    count: int
    include: str
    exclude: str

    @property
    def folder(self) -> str:
        """The name that is a folder's."""
        return self.package.removeprefix("@").replace("/", "+")

    @property
    def stamp(self) -> str:
        """Change when what is taken does."""
        return hashed(repr((self.package, self.version, self.include, self.exclude)))

    def takes(self, name: str) -> bool:
        """Whether a file's path within the package is of those that are wanted."""
        wanted = bool(re.search(self.include, name))
        return wanted and not (self.exclude and re.search(self.exclude, name, re.IGNORECASE))


def read(path: Path = TABLE) -> list[Package]:
    """Every package, in the table's order."""
    with path.open(newline="") as file:
        return [Package(**row | {"count": int(row["count"] or 0)}) for row in csv.DictReader(file)]


def write(packages: Iterable[Package], path: Path = TABLE) -> None:
    with path.open("w", newline="") as file:
        out = csv.DictWriter(file, [field.name for field in fields(Package)], lineterminator="\n")
        out.writeheader()
        out.writerows(asdict(package) for package in packages)


def split(packages: list[Package]) -> list[Package]:
    """Give each package without a half the one with fewer pictures of its kind, or else fewer in all."""
    of_kind: Counter[tuple[str, str]] = Counter()
    total: Counter[str] = Counter()
    halves: dict[str, str] = {}
    for package in sorted(packages, key=lambda package: (not package.half, hashed(package.package))):
        lighter = min(HALVES, key=lambda half: (of_kind[half, package.kind], total[half]))
        half = halves[package.package] = package.half or lighter
        of_kind[half, package.kind] += package.count
        total[half] += package.count
    return [replace(package, half=halves[package.package]) for package in packages]


def hashed(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
