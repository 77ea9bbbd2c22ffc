"""Somebody's files around what anidata is given, and a watch over all of them."""

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from drawings import drawing, save

LEFT = "0123abcd.anidata"  # the end of a leftover's name
NAMES = (
    "a.parquet",
    "b.tar",
    "z.png.part",
    f".x.png.{LEFT}",
    "part-00000.tar.part",
    "duckdb_temp_block-1.tmp",
)


def make_decoy(folder: Path) -> Path:
    """Somebody's folder: pictures, files by names like ours, folders with marks, links among them."""
    for home in (folder, folder / "deep", folder / "scratch"):
        for name in NAMES:
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_bytes(name.encode())
    save(folder / "a.png", drawing(700, 32, 32))
    for name, mark in (("set", ".anidata"), ("work", "workspace.json")):
        (folder / name).mkdir()
        (folder / name / mark).write_text('{"format": 1, "kind": "dataset"}')
        (folder / name / f".y.{LEFT}").write_bytes(b"mine")
    (folder / "link").symlink_to("deep")
    (folder / "deep/hard.png").hardlink_to(folder / "a.png")
    return folder


def look(path: Path) -> tuple[object, ...]:
    """What stands at a path: it changes whenever that is written, or something in a folder comes or goes."""
    status = path.lstat()
    shown = (stat.S_IFMT(status.st_mode), stat.S_IMODE(status.st_mode), status.st_mtime_ns)
    if path.is_symlink():
        return (*shown, str(path.readlink()))
    return (*shown, hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "")


class Watch:
    """All files below a folder but those that may change: below `free` folders, and those named `free`."""

    def __init__(self, ground: Path, *free: Path) -> None:
        self._ground, self._free = ground, tuple(map(str, free))
        self._above = {str(above) for path in free for above in path.parents}
        self._before = dict(self._seen())

    def troubles(self) -> list[str]:
        """What has come, gone or changed since."""
        after = dict(self._seen())
        both = self._before.keys() & after.keys()
        changed = [f"changed: {p}" for p in sorted(both) if self._before[p] != after[p]]
        gone, new = self._before.keys() - after.keys(), after.keys() - self._before.keys()
        return changed + [f"gone: {p}" for p in sorted(gone)] + [f"made: {p}" for p in sorted(new)]

    def _seen(self) -> Iterator[tuple[str, tuple[object, ...]]]:
        for top, folders, files in os.walk(self._ground):
            folders[:] = [name for name in folders if os.path.join(top, name) not in self._free]
            for path in (os.path.join(top, name) for name in (*folders, *files)):
                if path not in self._above and path not in self._free:
                    yield path, look(Path(path))


def replace_by_link(path: Path, decoy: Path, how: str) -> None:
    """Put a link in the place of a path, which need not be there.

    copy: to a copy of what stood there, somebody else's by now. ahead: to a file or folder of another kind.
    dangling: to nothing.
    """
    home = decoy / "planted"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    is_folder = path.is_dir() or not path.suffix
    if how == "copy" and path.exists():
        shutil.move(path, home / path.name)
        for below in filter(Path.is_dir, (home, home / path.name)):
            for name in (*NAMES, f"{path.name}.part"):
                (below / name).write_bytes(b"mine")
    elif path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    target = {"copy": home / path.name, "ahead": decoy / ("deep" if is_folder else "a.parquet")}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target.get(how, home / "nothing"))
