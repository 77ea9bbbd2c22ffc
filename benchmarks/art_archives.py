"""Archives of packages, downloaded by the registries' own programs and unpacked in the benchmarks' cache."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from art_table import Package
from peers import CACHE

ART = CACHE / "art"
TOOLS = ("@resvg/resvg-js@2.6.2", "@dicebear/core@9.4.3", "@dicebear/collection@9.4.3")
WHEEL = "--only-binary=:all: --python-version=3.10 --implementation=cp --platform=manylinux2014_x86_64"
FAULTS = (subprocess.CalledProcessError, OSError, tarfile.TarError, zipfile.BadZipFile)


def unpacked(package: Package) -> Path:
    """The package's files, fetched and unpacked when first needed, whole or not at all.

    Raises: one of FAULTS.
    """
    home = ART / "unpacked" / package.folder
    if not home.exists():
        archive = _archive(package)
        part = fresh(home.with_name(f".{home.name}.part"))
        _unpack(archive, part)
        part.rename(home)
    return home


def _unpack(archive: Path, folder: Path) -> None:
    if archive.suffix == ".deb":
        _run("dpkg-deb", "-x", str(archive), str(folder))
    elif archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as file:
            file.extractall(folder)  # noqa: S202 (ZipFile keeps within the folder)
    else:
        with tarfile.open(archive) as file:
            file.extractall(folder, filter="data")  # the filter does


def _archive(package: Package) -> Path:
    is_debian = package.source == "debian"
    kept = ART / ("debs" if is_debian else package.source)
    pattern = f"{package.package}_*.deb" if is_debian else f"{package.folder}@{package.version}.*"
    if not list(kept.glob(pattern)):
        part = fresh(kept / f".{package.folder}.part")
        _run(*_download(package), cwd=part)
        file = next(path for path in part.iterdir() if path.is_file())
        file.rename(kept / (file.name if is_debian else pattern.removesuffix(".*") + file.suffix))
        shutil.rmtree(part)
    return next(kept.glob(pattern))


def _download(package: Package) -> list[str]:
    """The command that puts the package's archive into the current folder."""
    name, version = package.package, package.version
    return {
        "debian": ["apt-get", "download", "--quiet", name],
        "npm": ["npm", "pack", "--silent", f"{name}@{version}"],
        "pypi": [sys.executable, *f"-m pip download --quiet --no-deps {WHEEL} {name}=={version}".split()],
    }[package.source]


def tools() -> Path:
    """Modules of node that draw."""
    modules = ART / "npm/node_modules"
    if not (modules / "@resvg/resvg-js").exists():
        _run("npm", "install", "--silent", "--no-save", "--prefix", str(ART / "npm"), *TOOLS)
    return modules


def _run(*command: str, cwd: Path | None = None) -> None:
    subprocess.run(command, check=True, cwd=cwd, capture_output=True, text=True)


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
