"""Sheets of samples: a row for each picture with its conditions, the model's output, and the truth."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812 its usual name
from torch import Tensor

from anidata.training.data.conditions import CONDITIONS
from anidata.training.data.loader import to_uint8

GAP = 2  # px of white between pictures


def grid(
    condition: Tensor, output: Tensor, truth: Tensor | None, names: Sequence[str] = ("lineart",)
) -> npt.NDArray[np.uint8]:
    """Line | output | truth where there is one, a row for each picture, uint8 (rows, columns, 3).

    condition: (b, c, h, w) of the conditions `names`; output, truth: (b, 3, h, w); all in [-1, 1].
    """
    columns = [*shown(names, condition), output, *([] if truth is None else [truth])]
    framed = [F.pad(c.detach().float().cpu(), (0, GAP, 0, GAP), value=1.0) for c in columns]
    rows = torch.cat(framed, dim=3)  # (b, 3, h, width of a row)
    return to_uint8(torch.cat(rows.unbind(0), dim=1)[:, :-GAP, :-GAP])


def shown(names: Sequence[str], condition: Tensor) -> list[Tensor]:
    """A picture (b, 3, h, w) of each condition: lines and gray as they are, hints on white."""
    widths = [CONDITIONS[name] for name in names]
    return [_picture(part) for part in torch.split(condition[:, : sum(widths)], widths, dim=1)]


def _picture(part: Tensor) -> Tensor:
    if part.shape[1] == CONDITIONS["hints"]:
        return part[:, :3] + (1 - part[:, 3:])
    return part.expand(-1, 3, -1, -1)
