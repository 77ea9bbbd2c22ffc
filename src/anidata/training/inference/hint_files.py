"""Files of hints: which is whose.

A file is of one picture. A folder has those of several, by their names: of FOLDERS/STEM.EXT, below what was
named, FOLDERS/STEM.EXT.png or FOLDERS/STEM.png.
"""

from collections.abc import Sequence
from pathlib import Path

from anidata.errors import BadImage, RecipeError, SourceError
from anidata.imaging.fit import Pixels
from anidata.imaging.loose import job, marks
from anidata.imaging.loose.pictures import Picture
from anidata.training.inference import hints
from anidata.training.run.folder import digest_of

ENDING = ".png"


def match(path: Path, pictures: Sequence[Picture]) -> dict[Picture, Path]:
    """The file of each picture that has hints.

    Raises: SourceError: no such file, a file for several pictures, or a folder that has none of any.
    """
    if path.is_dir():
        return _in_folder(path, pictures)
    if not path.is_file():
        raise SourceError(f"--hints {path}: there is no such file or folder. Name an RGBA PNG, or a folder.")
    others = [picture for picture in pictures if not path.samefile(picture.path)]
    if len(others) > 1:
        raise SourceError(
            f"--hints {path}: a file of hints is of one picture, and here are {len(others)}. "
            f"Put those of each into a folder, named as the picture, {others[0].relative.stem}.png, "
            "and name the folder: --hints DIR."
        )
    return {picture: path for picture in others if _check(path)}


def read(path: Path, shape: tuple[int, ...]) -> Pixels:
    """The hints, (h, w, 4), of a picture of this shape.

    Raises: BadImage: `hints`, they can't be read, or aren't of it.
    """
    try:
        layers = job.read_layers(path)
        hints.check(layers, shape)
    except BadImage as error:
        raise BadImage("hints", f"{path} can't be read: {error}. Save it again as an RGBA PNG.") from error
    except RecipeError as error:
        raise BadImage("hints", f"{path}: {str(error).removeprefix('hints: ')}") from error
    return layers


def digest(path: Path) -> str:
    """What changes with the file. Raises: BadImage: it can't be read."""
    try:
        return digest_of(path)
    except OSError as error:
        raise BadImage("hints", f"{path} can't be read: {error.strerror}") from error


def _check(path: Path) -> bool:
    """See that a file is one of hints. Raises: SourceError: it isn't."""
    try:
        layers = job.read_layers(path)
        hints.check(layers, layers.shape)
    except BadImage as error:
        raise SourceError(
            f"--hints {path}: it can't be read: {error}. Name an RGBA PNG: points or strokes of color on "
            "transparency."
        ) from error
    except RecipeError as error:
        raise SourceError(f"--hints {path}: {str(error).removeprefix('hints: ')}") from error
    return True


def _in_folder(folder: Path, pictures: Sequence[Picture]) -> dict[Picture, Path]:
    """The files of a folder, by the pictures' names. Raises: SourceError: it has none for any."""
    matched = {picture: path for picture in pictures if (path := _own(folder, picture))}
    if pictures and not matched:
        first = pictures[0].relative
        raise SourceError(
            f"--hints {folder}: it has hints for none of the pictures. Name them as they are, such as "
            f"{folder / first.with_suffix(ENDING)} for {first}."
        )
    return matched


def _own(folder: Path, picture: Picture) -> Path | None:
    """The hints of a picture; neither itself, nor a picture that anidata made."""
    way = picture.relative
    for name in (f"{way.name}{ENDING}", f"{way.stem}{ENDING}"):
        path = folder / way.with_name(name)
        if path.is_file() and not path.samefile(picture.path) and marks.read(path) is None:
            return path
    return None
