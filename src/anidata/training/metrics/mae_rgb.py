"""Mean absolute error of R, G and B in levels of 255, 0 (the same) to 255 (black for white).

    mean |output − truth|        over all pixels and channels
Source: the usual definition, as in Willmott and Matsuura 2005, "Advantages of the mean absolute error (MAE)
over the root mean square error (RMSE)"
"""

from torch import Tensor

from anidata.training.compared import Compared
from anidata.training.metrics import Figure

VERSION = 1
QUICK, EXTRACTOR = False, ""
FIGURES = {"mae_rgb": Figure("lower", "levels", 0, 255, "mean error of R, G and B")}


def metric(compared: Compared) -> dict[str, Tensor]:
    """One value a picture."""
    return {"mae_rgb": (compared.output - compared.truth).abs().mean(dim=(1, 2, 3)) * 127.5}
