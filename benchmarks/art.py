"""Free art of Debian's, npm's and PyPI's packages, in two halves: `fit` to tune on, `check` to report on.

    python benchmarks/art.py [--only PACKAGE …] [--sheet] [--split]

The packages stand in art.csv beside this script: source, version (Debian: what bookworm has), kind, half,
license by the package's own copyright file, how many pictures they gave, and which of their files (include
and exclude are regular expressions on the path within the package). Of each at most MOST pictures are taken,
chosen by a hash of their path, whose short side has at least SHORT px; vector drawings are rendered. Plain
ones and equal bytes are left out, and what both halves have goes from check. A package that can't be had is
said and skipped; the same command again goes on where it stopped.

What it makes, under .benchmarks/art/: debs, npm, pypi (as downloaded), unpacked, and pictures/HALF/PACKAGE
(hard links). --sheet writes a contact sheet of each half. --split gives rows without a half one, the half
with fewer pictures of their kind so far, in the order of a hash of their names, and writes art.csv.
"""

import argparse
import hashlib
import shutil
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

import art_archives as archives
import art_vectors as vectors
from art_table import HALVES, Package, hashed, read, split, write

MOST, SHORT, PIXELS = 300, 64, 100_000_000  # pictures of a package; px of the short side; px of a picture
LONGEST, COLORS = 8, 4  # times the short side; colors at 32 px below which a picture is plain
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"}
Image.MAX_IMAGE_PIXELS = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", nargs="*", default=[], help="packages")
    parser.add_argument("--sheet", action="store_true", help="write a contact sheet of each half")
    parser.add_argument("--split", action="store_true", help="write halves and counts into art.csv")
    args = parser.parse_args()
    packages = read()
    _collect_all(package for package in packages if not args.only or package.package in args.only)
    if args.split:
        packages = split([_counted(package) for package in packages])
        write(packages)
        _collect_all(packages)
    print(table(packages))
    if args.sheet:
        for half in HALVES:
            print(sheet(half))


# --- halves -------------------------------------------------------------------------------------------------


def halves(only: Iterable[str] = HALVES) -> dict[str, dict[str, Path]]:
    """Half → package → folder of its pictures, of those that are collected."""
    return {
        half: {
            package.package: _pictures(package)
            for package in read()
            if package.half == half and _pictures(package).exists()
        }
        for half in only
    }


def table(packages: Iterable[Package]) -> str:
    """Package, kind, half, count, license; and counts by half and kind."""
    rows, sums = [], Counter[tuple[str, str]]()
    for package in packages:
        count = len(files(_pictures(package)))
        note = "" if count == package.count else f" (art.csv: {package.count})"
        name, kind, half = package.package, package.kind, package.half
        rows.append(f"{name:32} {kind:11} {half:6} {count:5}{note} {package.license}")
        sums[package.half, package.kind] += count
    for half in HALVES:
        kinds = {kind: count for (its, kind), count in sorted(sums.items()) if its == half}
        rows.append(f"{half}: {sum(kinds.values())} ({', '.join(f'{k} {n}' for k, n in kinds.items())})")
    return "\n".join(rows)


# --- pictures -----------------------------------------------------------------------------------------------


def collect(package: Package) -> None:
    """Put the package's pictures in place, whole or not at all; say why not."""
    home, stamp = _pictures(package), archives.ART / "stamps" / package.folder
    if home.exists() and stamp.exists() and stamp.read_text() == _stamp(package):
        return
    for half in HALVES:
        shutil.rmtree(archives.ART / "pictures" / half / package.folder, ignore_errors=True)
    if part := _chosen(package):
        home.parent.mkdir(parents=True, exist_ok=True)
        part.rename(home)
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(_stamp(package))


def _chosen(package: Package) -> Path | None:
    """A folder with the package's pictures, for whichever half; None where it can't be had, which is said."""
    part, whole = archives.ART / "parts" / package.folder, archives.ART / "parts" / f"{package.folder}.whole"
    if not (part.exists() and whole.exists() and whole.read_text() == _stamp(package)):
        try:
            _choose(package, archives.fresh(part))
        except archives.FAULTS as fault:
            said = getattr(fault, "stderr", None) or str(fault)
            print(f"{package.package}: left out, {said.strip().splitlines()[-1]}", file=sys.stderr)
            return None
        whole.write_text(_stamp(package))
    return part


def _collect_all(packages: Iterable[Package]) -> None:
    for package in packages:
        if package.half:
            collect(package)
    leave_apart()


def files(folder: Path) -> list[Path]:
    """Every file below a folder, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def candidates(package: Package) -> list[Path]:
    """The paths of a package that its patterns take, in the order of a hash of them."""
    root = archives.unpacked(package)
    paths = [
        path
        for path in root.rglob("*")
        if path.suffix.lower() in SUFFIXES | vectors.SUFFIXES and path.is_file() and not path.is_symlink()
    ]
    names = {path: path.relative_to(root).as_posix() for path in paths}
    taken = [path for path in paths if package.takes(names[path])]
    return sorted(taken, key=lambda path: hashed(names[path]))


def _choose(package: Package, part: Path) -> None:
    """Link and render at most MOST pictures into a folder."""
    seen: set[str] = set()
    for path, name in islice(_worth(package, part, seen), MOST):
        link = part / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.hardlink_to(path)
    for left in part.rglob("*.drawn"):
        left.unlink()


def _worth(package: Package, part: Path, seen: set[str]) -> Iterator[tuple[Path, str]]:
    """Pictures that are large enough, not plain and not seen, with their name below the folder."""
    for path, name in _drawn(package, part):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest not in seen and _shows_something(path):
            yield path, name
            seen.add(digest)


def _drawn(package: Package, part: Path) -> Iterator[tuple[Path, str]]:
    """Files that are pictures, and renderings of those that are vectors."""
    root = archives.unpacked(package)
    if package.package.startswith("@dicebear/"):
        yield from vectors.rendered(part, vectors.avatars(package))
    elif package.package.startswith("@iconify-json/"):
        yield from vectors.rendered(part, vectors.icons(package, root))
    else:
        names = {path: path.relative_to(root).as_posix() for path in candidates(package)}
        yield from ((path, name) for path, name in names.items() if path.suffix.lower() in SUFFIXES)
        drawings = (path for path in names if path.suffix.lower() in vectors.SUFFIXES)
        yield from vectors.rendered(part, ((names[path], vectors.text(path)) for path in drawings))


def _shows_something(path: Path) -> bool:
    """Whether a picture opens, is of a fitting size and has some colors on white."""
    try:
        with Image.open(path) as image:
            short, long = sorted(image.size)
            if short < SHORT or long > LONGEST * short or short * long > PIXELS:
                return False
            small = ImageOps.contain(image.convert("RGBA"), (32, 32), Image.Resampling.BOX)
    except (OSError, ValueError, SyntaxError):
        return False
    page = Image.new("RGBA", small.size, "white")
    page.alpha_composite(small)
    return len(page.convert("RGB").getcolors(32 * 32) or ()) >= COLORS


def leave_apart() -> None:
    """Leave out of check what fit has, by its bytes."""
    others = defaultdict(list)
    for path in files(archives.ART / "pictures/fit"):
        others[path.stat().st_size].append(path)
    for path in files(archives.ART / "pictures/check"):
        if any(path.read_bytes() == other.read_bytes() for other in others[path.stat().st_size]):
            path.unlink()


def _stamp(package: Package) -> str:
    """Change when what is taken of the package does."""
    return hashed(f"{package.stamp} {(MOST, SHORT, LONGEST, COLORS, vectors.WIDE, vectors.AVATARS)}")


def _pictures(package: Package) -> Path:
    return archives.ART / "pictures" / package.half / package.folder


def _counted(package: Package) -> Package:
    """The package with how many pictures it gives."""
    home = _pictures(package) if package.half else _chosen(package)
    return replace(package, count=len(files(home))) if home and home.exists() else package


# --- to look at ---------------------------------------------------------------------------------------------


def sheet(half: str, side: int = 120, across: int = 14, down: int = 10) -> Path:
    """Write a contact sheet of some pictures of a half, evenly of its packages."""
    queues = [sorted(files(folder), key=lambda path: hashed(path.name)) for folder in halves()[half].values()]
    depth = max(map(len, queues), default=0)
    chosen = [queue[n] for n in range(depth) for queue in queues if n < len(queue)][: across * down]
    page = Image.new("RGB", (across * side, down * (side + 12)), "white")
    for number, path in enumerate(chosen):
        x, y = number % across * side, number // across * (side + 12)
        with Image.open(path) as image:
            small = ImageOps.contain(image.convert("RGBA"), (side - 4, side - 4))
        page.paste(small, (x, y), small)
        ImageDraw.Draw(page).text(
            (x, y + side - 2), path.relative_to(archives.ART / "pictures" / half).parts[0][:20], "black"
        )
    out = archives.ART / f"sheet-{half}.png"
    page.save(out)
    return out


if __name__ == "__main__":
    main()
