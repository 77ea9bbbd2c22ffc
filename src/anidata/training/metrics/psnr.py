"""Peak signal-to-noise ratio in dB, 0 (black for white) to 100 (the same, or as good as).

    10 · log10(1 / mse)        mse: over all pixels and channels, of values from 0 to 1

Below an mse of 1e-10, a hundred-thousandth of white, pictures count as equal: an infinite value would take
every mean with it.
Source: the usual definition, as in Huynh-Thu and Ghanbari 2008, "Scope of validity of PSNR in image/video
quality assessment"
"""

from torch import Tensor

VERSION, BETTER = 1, "higher"
LEAST = 1e-10  # mse that counts as none: 100 dB


def metric(output: Tensor, truth: Tensor) -> Tensor:
    """(b, 3, h, w) in [-1, 1], twice → (b,) in dB."""
    error = (output - truth).square().mean(dim=(1, 2, 3)) / 4  # of values from 0 to 1
    return -10 * error.clamp(min=LEAST).log10()
