"""Reading a picture again: the bytes that have its key, from wherever some source still has them."""

from collections.abc import Iterable
from dataclasses import dataclass

from anidata import storage
from anidata.errors import BadImage
from anidata.imaging import decode as decoding
from anidata.imaging import image
from anidata.imaging.admission import admit
from anidata.storage import Location, Reference
from anidata.workspace import Workspace

CHANGED = "the source has changed since it was read; look again with: anidata ingest WORK SOURCE --refresh"


@dataclass(frozen=True)
class Reader:
    """Opens pictures under the limits with which they were first read."""

    workspace: Workspace
    max_bytes: int
    max_pixels: int

    def __post_init__(self) -> None:
        """Raises: Untrusted: the workspace comes from elsewhere, and names files of this machine."""
        admit(self.workspace)

    def decode(self, locations: Iterable[Location], key: str, side: int = 0) -> image.Image:
        """The picture with this key; `side` as in image.decode.

        Raises: BadImage: `changed` where other bytes lie at its locations now, `missing` where nothing does;
        what decoding raises.
        """
        return decoding.decode(self._bytes(locations, key), self.max_pixels, side)

    def _bytes(self, locations: Iterable[Location], key: str) -> bytes:
        last = BadImage("missing", "no place is known where it lies")
        for location in locations:
            reference = Reference(location["uri"], location["offset"] or 0, location["size"])
            try:
                data = storage.read(reference, self.workspace.path, self.max_bytes, links=True)
            except BadImage as error:
                last = error
                continue
            if storage.key_of(data) == key:
                return data
            last = BadImage("changed", CHANGED)
        raise last
