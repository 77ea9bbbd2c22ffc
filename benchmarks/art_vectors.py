"""Vector drawings of packages as pictures, rendered by resvg."""

import gzip
import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import art_archives as archives
from art_table import Package, hashed
from lines.net import drawings

SUFFIXES = {".svg", ".svgz"}
WIDE, AVATARS, TEXT = 400, 60, 1_000_000  # px across of a rendered drawing; of a style; bytes of a drawing


def rendered(part: Path, vectors: Iterable[tuple[str, str]]) -> Iterator[tuple[Path, str]]:
    """Names and SVG as PNG, in lots, so that no more are drawn than are wanted."""
    drawable = ((name, svg) for name, svg in vectors if len(svg) < TEXT)
    while lot := list(islice(drawable, 50)):
        jobs = []
        for name, svg in lot:
            path = part / f"{name}.drawn"
            path.parent.mkdir(parents=True, exist_ok=True)
            jobs.append({"svg": svg, "out": str(path), "width": WIDE})
        _render(jobs)
        for (name, _), job in zip(lot, jobs, strict=True):
            path = Path(str(job["out"]))
            if path.exists():
                yield path, f"{name}.png"
                path.unlink()


def _render(jobs: list[dict[str, object]]) -> None:
    """Render what can be: a drawing that node dies of is left out."""
    try:
        drawings.render(jobs, archives.tools())
    except subprocess.CalledProcessError:
        half = len(jobs) // 2
        for some in (jobs[:half], jobs[half:]) if half else ():
            _render(some)


def icons(package: Package, root: Path) -> Iterator[tuple[str, str]]:
    """Iconify's drawings, by name."""
    table = json.loads((root / "package/icons.json").read_text(encoding="utf-8"))
    for name in sorted(filter(package.takes, table["icons"]), key=hashed):
        icon = table["icons"][name]
        wide, high = (icon.get(side, table.get(side, 16)) for side in ("width", "height"))
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}">'
        yield f"{name}.svg", f"{head}{icon['body']}</svg>"


def avatars(package: Package) -> Iterator[tuple[str, str]]:
    """So many people of one DiceBear style."""
    style = re.sub(r"-(\w)", lambda match: match[1].upper(), package.package.split("/")[1])
    scratch = archives.fresh(archives.ART / "parts" / f".{package.folder}")
    paths = [scratch / f"{style}-{number:03d}.svg" for number in range(AVATARS)]
    drawings.render(
        [{"avatar": style, "seed": path.stem, "out": str(path)} for path in paths], archives.tools()
    )
    yield from ((path.name, path.read_text(encoding="utf-8")) for path in paths)
    shutil.rmtree(scratch)


def text(path: Path) -> str:
    """A drawing's SVG, from a file that may be compressed."""
    read = path.read_bytes()
    return (gzip.decompress(read) if read[:2] == b"\x1f\x8b" else read).decode(errors="replace")
