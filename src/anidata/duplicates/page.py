"""A picture at full resolution, and what each comparison asks of it again."""

from functools import cached_property

from anidata.duplicates import traces
from anidata.duplicates.alignment import Pixels, View
from anidata.duplicates.ways import MIRRORED, STRAIGHT, Way

CLOSE = 512  # px of the long side at which it is seen whether a border lies where another's frame ends


class Page:
    """A picture, other ways round too, its middle, and a view of it that is finer than a thumbnail."""

    def __init__(self, rgb: Pixels) -> None:
        self.rgb = rgb

    @cached_property
    def _mirrored(self) -> "Page":
        return Page(MIRRORED.of(self.rgb))

    def seen(self, way: Way) -> "Page":
        """The picture seen that way; of turns, which are rare, nothing is kept."""
        if way == STRAIGHT:
            return self
        return self._mirrored if way == MIRRORED else Page(way.of(self.rgb))

    @cached_property
    def middle(self) -> traces.Window:
        return traces.window(self.rgb)

    @cached_property
    def close(self) -> View:
        """The picture with its long side at most CLOSE, by area."""
        return View(self.rgb).shrunk(CLOSE)
