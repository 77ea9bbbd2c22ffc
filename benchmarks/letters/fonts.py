"""Fonts of Debian packages, unpacked and not installed: those to fit by, under free licenses, and others."""

import subprocess
from pathlib import Path

# As each package's copyright file says.
FITTED = {
    "fonts-cabin": "OFL-1.1",
    "fonts-cantarell": "OFL-1.1",
    "fonts-crosextra-caladea": "Apache-2.0",
    "fonts-crosextra-carlito": "OFL-1.1",
    "fonts-dejavu-core": "Bitstream Vera",
    "fonts-dejavu-extra": "Bitstream Vera",
    "fonts-ebgaramond": "OFL-1.1",
    "fonts-fanwood": "MIT",
    "fonts-firacode": "OFL-1.1",
    "fonts-hack": "Expat and Bitstream Vera",
    "fonts-humor-sans": "OFL-1.1",
    "fonts-inconsolata": "OFL-1.1",
    "fonts-jura": "OFL-1.1",
    "fonts-junction": "OFL-1.1",
    "fonts-league-spartan": "OFL-1.1",
    "fonts-liberation": "GPL-2.0 with font exceptions",
    "fonts-linuxlibertine": "OFL-1.1",
    "fonts-lobster": "OFL-1.1",
    "fonts-mplus": "OFL-1.1",
    "fonts-noto-cjk": "OFL-1.1",
    "fonts-noto-core": "OFL-1.1",
    "fonts-noto-mono": "OFL-1.1",
    "fonts-oldstandard": "OFL-1.1",
    "fonts-open-sans": "Apache-2.0",
    "fonts-play": "OFL-1.1",
    "fonts-quicksand": "OFL-1.1",
    "fonts-roboto-unhinted": "Apache-2.0",
    "fonts-sil-andika": "OFL-1.1",
    "fonts-sil-charis": "OFL-1.1",
}
KEPT_APART = (
    *("fonts-comic-neue", "fonts-dancingscript", "fonts-gfs-didot", "fonts-lato", "fonts-sawarabi-mincho"),
    *("fonts-sil-gentium", "fonts-vollkorn"),
)
OF_NOTO = ("NotoSans-", "NotoSerif-", "NotoSansDisplay-", "NotoSerifDisplay-", "NotoMono", "NotoSansMono")
NOT_LETTERS = ("Initials", "Keyboard", "Math", "Symbol", "NotoSansMono-", "LinBiolinum_K", "Serif_I")


def files(folder: Path, packages: tuple[str, ...]) -> list[Path]:
    """The fonts of packages, fetched into a folder where they aren't there yet."""
    for name in packages:
        if not (folder / "x" / name).is_dir():
            _fetch(folder, name)
    some = (path for name in packages for path in (folder / "x" / name).rglob("*"))
    return sorted(path for path in some if _is_fitting(path))


def _is_fitting(path: Path) -> bool:
    if path.suffix.lower() not in (".ttf", ".otf", ".ttc") or path.is_symlink():
        return False
    is_noto = path.name.startswith("Noto") and "CJK" not in path.name
    if is_noto and not path.name.startswith(OF_NOTO):
        return False
    return not any(word in path.name for word in NOT_LETTERS)


def _fetch(folder: Path, name: str) -> None:
    debs = folder / "debs"
    debs.mkdir(parents=True, exist_ok=True)
    _run("apt-get", "download", name, cwd=debs)
    file = next(debs.glob(f"{name}_*.deb"))
    (folder / "x" / name).mkdir(parents=True)
    _run("dpkg-deb", "-x", str(file.resolve()), str((folder / "x" / name).resolve()), cwd=folder)


def _run(*command: str, cwd: Path) -> None:
    subprocess.run(command, check=True, cwd=cwd)
