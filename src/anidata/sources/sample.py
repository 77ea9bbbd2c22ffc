"""The bundled artwork: 36 small pictures, seven with the artist's own lineart; needs no network"""

from collections.abc import Iterator
from dataclasses import replace

from anidata import __version__
from anidata.errors import SourceError
from anidata.registry import PACKAGE
from anidata.sources import Options, Record
from anidata.sources.listing.folders import walk

EXAMPLE = "sample:"
TAKES = ""
HAS_PATH = False
PICTURES = (".jpg", ".png", ".webp")  # beside them lie the texts of their licenses


def accepts(text: str) -> bool:
    return text.startswith(EXAMPLE)


def state(text: str, options: Options) -> str:  # noqa: ARG001  the contract's
    """The version that the pictures came with."""
    return f"{text} {__version__}"


def records(text: str, options: Options) -> Iterator[Record]:
    """Yield the bundled pictures.

    Neither their ids nor their stamps depend on where and when the package was installed.
    """
    if text != EXAMPLE:
        raise SourceError(f"{text}: there is one sample only. Type: {EXAMPLE}")
    for record in walk(PACKAGE / "art", EXAMPLE, replace(options, lines="*_line.*", colors="*_color.*")):
        if record.file.endswith(PICTURES):
            yield replace(record, stamp=__version__)
