"""Ink and a network together: crisp strokes, solid blacks and contours by `ink`, \
colored and soft lines by the network of `net`.

    line = A where A explains `explained` of the picture's edges; else C(A − D + B + R), then as `form` says
    A: the lines of `ink` before contours; N: the network's opacity of ink; D: pieces of a painting's sketch
    in which N sees nothing; B: the middle of N's broad strokes, of which A has the rims, where they are most
    of N's ink; R: lines of N ≥ sure that A lacks, of a painting's down to a fifth of that; C: as `ink` closes
    contours and empties what isn't black

The network is asked only where `ink` leaves edges unexplained, as of a soft or colored drawing or a painting.
strict: ink and paper alone. soft: as a pencil draws, strokes with gray rims, and faint ones of N down to a
tenth of its opacity. Widths suit 512 px.
On another processor, or by another version of the runtime, a few pixels may differ: see `net`.
Source: our own; see `ink` and `net`.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from anidata.lineart.styles import _joint, _line_net, ink, net
from anidata.lineart.styles._strokes import FULL, Gray, Mask, octagon
from anidata.recipe import Share

VERSION = 2
INEXACT = True
RIM = np.array([0.25, 0.5, 0.25], np.float32)  # of a pencil's stroke
PRESSED = 0.75  # opacity that a stroke has at least
FAINT, CLEAR = 0.1, 0.7  # opacity of the network that is none, and full
STROKE = octagon(4)  # px: what is wider isn't a pencil's stroke


@dataclass(frozen=True, kw_only=True)
class Config:
    """Lines by `ink`, and by a network where those don't explain the picture."""

    form: Literal["strict", "soft"] = "strict"  # ink and paper alone · a pencil's gray
    sure: Share = 0.59  # the network's opacity from which on there is a line; 0: everywhere
    explained: Share = 0.95  # share of edges that `ink` must explain, or the network is asked; 0: it never is
    blacks: Literal["solid", "outline"] = "solid"  # what is drawn of areas of ink wider than about 18 px
    contours: bool = True  # whether the contours of figures before a flat ground are closed
    runtime: _line_net.Runtime = "cv2"  # that runs the network; onnxruntime: of the extra 'onnx', faster


def ready(config: Config) -> None:
    """See that the network is there and can be run.

    Raises: WeightsError: its weights are missing, or others. MissingExtra, RecipeError: of the runtime.
    """
    net.ready(net.Config(runtime=config.runtime))


def draw(rgb: npt.NDArray[np.uint8], config: Config) -> npt.NDArray[np.uint8]:
    """(h, w, 3) → (h, w): black ink (0) on white (255).

    Raises: WeightsError, MissingExtra, RecipeError: as for `ready`, or the runtime fails.
    """
    height, width = rgb.shape[:2]
    smooth = ink.smoothed(rgb)
    drawn = ink.lines(smooth, ink.Config(blacks=config.blacks))
    opacity = None
    if drawn.painted.explained < config.explained:
        opacity = _asked(rgb, smooth.shape, config.runtime)
        mask = _with_network(smooth, drawn, opacity, config)
    else:
        mask = ink.completed(smooth, drawn, config.contours)
    gray = _penciled(mask, opacity) if config.form == "soft" else mask
    return np.asarray(cv2.bitwise_not(gray)[:height, :width], np.uint8)


def _asked(rgb: npt.NDArray[np.uint8], size: tuple[int, ...], runtime: str) -> Gray:
    """The network's opacity, as large as the smoothed picture."""
    opacity = _line_net.opacity(rgb, runtime)
    down, right = size[0] - rgb.shape[0], size[1] - rgb.shape[1]
    return np.asarray(cv2.copyMakeBorder(opacity, 0, down, 0, right, cv2.BORDER_REPLICATE), np.uint8)


def _with_network(smooth: npt.NDArray[np.uint8], drawn: ink.Drawn, opacity: Gray, config: Config) -> Mask:
    lines, painted = drawn.ink, drawn.painted.edges
    answer = _joint.lines(opacity, config.sure, painted)
    weaker = _joint.strokes(opacity, round(_joint.WEAKER * FULL * config.sure))
    wide = _joint.broad(weaker, lines, opacity)
    if painted > 0:
        lines = _joint.believed(lines, opacity, painted)
    luma = np.asarray(cv2.cvtColor(smooth, cv2.COLOR_RGB2GRAY), np.uint8)
    least = round(np.interp(painted, (0, 1), (_joint.LEAST, _joint.PAINTED_LEAST)))
    drawn = drawn._replace(ink=_joint.joined(lines, answer, weaker.narrow, wide, luma, least))
    return ink.completed(smooth, drawn, config.contours, known=wide)


def _penciled(mask: Mask, opacity: Gray | None) -> Gray:
    """Opacity of pencil: strokes with soft rims, and the network's faint ones."""
    soft = np.asarray(cv2.sepFilter2D(mask, -1, RIM, RIM), np.uint8)
    gray = cv2.max(soft, cv2.convertScaleAbs(mask, alpha=PRESSED))
    if opacity is not None:
        thin = cv2.subtract(opacity, cv2.morphologyEx(opacity, cv2.MORPH_OPEN, STROKE))
        gray = cv2.max(gray, cv2.LUT(thin, STRETCHED))
    return np.asarray(gray, np.uint8)


STRETCHED = np.clip((np.arange(256) / FULL - FAINT) / (CLEAR - FAINT) * FULL, 0, FULL).astype(np.uint8)
