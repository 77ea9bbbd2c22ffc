"""Peak signal-to-noise ratio in dB, 0 (black for white) to 100 (the same, or as good as).

    10 · log10(peak² / mse)        mse: over all pixels and channels

psnr        of R, G and B from 0 to 1, peak 1
psnr_ab     of a* and b* alone, peak 255: the width of their 8-bit form, -128 to 127, as no colors of sRGB are
            so far apart; about 2.4 dB at worst
psnr_drawn  as psnr, over the pixels where the truth isn't paper. Paper is what is white (no channel below
            250 of 255) and joined to the picture's border by white; white that lines enclose, as that of an
            eye, is drawn. nan where all is paper.

Below an mse of 1e-10 of peak², a hundred-thousandth of white, pictures count as equal: an infinite value
would take every mean with it.
Source: the usual definition, as in Huynh-Thu and Ghanbari 2008, "Scope of validity of PSNR in image/video
quality assessment"
"""

import torch
from torch import Tensor

from anidata.training.compared import Compared, drawn
from anidata.training.metrics import Figure

VERSION = 1
QUICK, EXTRACTOR = True, ""
LEAST = 1e-10  # mse that counts as none: 100 dB
PEAK_AB = 255.0  # of a* and b*
FIGURES = {
    "psnr": Figure("higher", "dB", 0, 100, "likeness of R, G and B"),
    "psnr_ab": Figure("higher", "dB", 0, 100, "likeness of a* and b*, whatever the lightness"),
    "psnr_drawn": Figure("higher", "dB", 0, 100, "likeness of R, G and B where the truth isn't paper"),
}


def metric(compared: Compared) -> dict[str, Tensor]:
    """Three values a picture, in dB."""
    error = (compared.output - compared.truth).square().mean(dim=1) / 4  # of values from 0 to 1
    apart = (compared.outputs.lab - compared.truths.lab)[:, 1:].square().mean(dim=(1, 2, 3)) / PEAK_AB**2
    there = torch.from_numpy(compared.truths.once(drawn)).to(error)
    return {
        "psnr": _decibels(error.mean(dim=(1, 2))),
        "psnr_ab": _decibels(apart),
        "psnr_drawn": _decibels((error * there).sum(dim=(1, 2)) / there.sum(dim=(1, 2))),
    }


def _decibels(error: Tensor) -> Tensor:
    return -10 * error.clamp(min=LEAST).log10()
