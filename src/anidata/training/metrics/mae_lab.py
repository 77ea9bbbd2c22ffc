"""Mean absolute error of L*, a* and b*, together and apart, 0 (the same) to about 100, 185 and 203.

    mean |output − truth|        over all pixels; mae_lab: the mean of the three

In CIE Lab under D65, so that the lightness, which lines and shading make, is told from the color.
Source: the usual definition; IEC 61966-2-1 for sRGB, CIE 15 for Lab
"""

from torch import Tensor

from anidata.training.compared import Compared
from anidata.training.metrics import Figure

VERSION = 1
QUICK, EXTRACTOR = False, ""
# no colors of sRGB are farther apart: a* of green and magenta, b* of blue and yellow
FIGURES = {
    "mae_lab": Figure("lower", "Lab", 0, 163, "mean error of L*, a* and b*"),
    "mae_lab_l": Figure("lower", "Lab", 0, 100.01, "mean error of lightness"),
    "mae_lab_a": Figure("lower", "Lab", 0, 185, "mean error from green to red"),
    "mae_lab_b": Figure("lower", "Lab", 0, 203, "mean error from blue to yellow"),
}


def metric(compared: Compared) -> dict[str, Tensor]:
    """Four values a picture."""
    apart = (compared.outputs.lab - compared.truths.lab).abs().mean(dim=(2, 3))
    return dict(zip(FIGURES, (apart.mean(dim=1), *apart.unbind(1)), strict=True))
