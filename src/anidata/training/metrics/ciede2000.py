"""Color difference ΔE00 as the eye has it: \
0 (the same), 1 (just noticeable side by side), 100 (black for white).

    ΔE00² = (ΔL'/S_L)² + (ΔC'/S_C)² + (ΔH'/S_H)² + R_T·(ΔC'/S_C)·(ΔH'/S_H)

The figures are its mean over the pixels, median, 95th percentile (the values between two ranks on a straight
line), and the shares of pixels above 5 and above 10.
This is in CIE Lab under D65, with k_L = k_C = k_H = 1.
Source: Sharma, Wu, Dalal 2005, "The CIEDE2000 color-difference formula: implementation notes, supplementary
test data, and mathematical observations", eq. 2 to 22; IEC 61966-2-1 for sRGB, CIE 15 for Lab
"""

import math

import numpy as np
import torch
from torch import Tensor

from anidata.training.compared import Compared
from anidata.training.metrics import Figure

VERSION = 1
QUICK, EXTRACTOR = True, ""
FAR = 25.0**7  # of chroma: what eq. 4 and 21 weigh against
SEEN, PLAIN = 5, 10  # ΔE00 above which a color is seen to be another, and plainly is another
MOST = 120  # no two colors of sRGB are farther apart
FIGURES = {
    "ciede2000": Figure("lower", "ΔE00", 0, MOST, "mean difference of color"),
    "ciede2000_median": Figure("lower", "ΔE00", 0, MOST, "what half of the pixels stay below"),
    "ciede2000_p95": Figure("lower", "ΔE00", 0, MOST, "what 95 of 100 pixels stay below"),
    "ciede2000_above_5": Figure("lower", "", 0, 1, "share of pixels more than 5 ΔE00 off"),
    "ciede2000_above_10": Figure("lower", "", 0, 1, "share of pixels more than 10 ΔE00 off"),
}


def metric(compared: Compared) -> dict[str, Tensor]:
    """Five values a picture."""
    apart = difference(compared.outputs.lab, compared.truths.lab).flatten(1)
    ranked = _in_order(apart)
    return {
        "ciede2000": apart.mean(dim=1),
        "ciede2000_median": _at(ranked, 0.5),
        "ciede2000_p95": _at(ranked, 0.95),
        "ciede2000_above_5": (apart > SEEN).to(apart).mean(dim=1),
        "ciede2000_above_10": (apart > PLAIN).to(apart).mean(dim=1),
    }


def _in_order(values: Tensor) -> Tensor:
    """The values of each row, the least first: by numpy on the CPU, in a tenth of torch's time."""
    if values.is_cpu:
        return torch.from_numpy(np.sort(values.detach().numpy(), axis=1))
    return values.sort(dim=1).values


def _at(ranked: Tensor, share: float) -> Tensor:
    """The quantile of values in order, (b, n) → (b,), on the straight line between two neighbors."""
    rank = share * (ranked.shape[1] - 1)
    low, high = math.floor(rank), math.ceil(rank)
    return torch.lerp(ranked[:, low], ranked[:, high], rank - low)


def difference(one: Tensor, other: Tensor) -> Tensor:
    """ΔE00 of Lab colors: (b, 3, …), twice → (b, …)."""
    (l1, a1, b1), (l2, a2, b2) = one.unbind(1), other.unbind(1)
    stretch = 1 + _half_root((torch.hypot(a1, b1) + torch.hypot(a2, b2)) / 2)  # eq. 2 to 5
    c1, c2 = torch.hypot(a1 * stretch, b1), torch.hypot(a2 * stretch, b2)
    h1, h2 = torch.atan2(b1, a1 * stretch), torch.atan2(b2, a2 * stretch)
    turn, hue = _hues(h1, h2, c1 * c2)
    light, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    away = (light - 50) ** 2
    d_light = (l2 - l1) / (1 + 0.015 * away / (20 + away).sqrt())  # eq. 8, 15
    d_chroma = (c2 - c1) / (1 + 0.045 * chroma)  # eq. 9, 16
    d_hue = 2 * (c1 * c2).sqrt() * torch.sin(turn / 2) / (1 + 0.015 * chroma * _weight(hue))  # eq. 11, 17
    square = d_light**2 + d_chroma**2 + d_hue**2 + _rotation(hue, chroma) * d_chroma * d_hue
    return square.clamp(min=0).sqrt()


def _half_root(chroma: Tensor) -> Tensor:
    """G of eq. 4."""
    return 0.5 * (1 - (chroma**7 / (chroma**7 + FAR)).sqrt())


def _hues(one: Tensor, other: Tensor, chromas: Tensor) -> tuple[Tensor, Tensor]:
    """Radians: the turn from one hue to the other (eq. 10), and the hue in the middle (eq. 14).

    A gray has the other's hue.
    """
    one, other = one.remainder(2 * torch.pi), other.remainder(2 * torch.pi)
    turn = other - one
    total = one + other
    far = turn.abs() > torch.pi
    turn = torch.where(far, turn - 2 * torch.pi * turn.sign(), turn)
    once = torch.where(total < 2 * torch.pi, 2 * torch.pi, -2 * torch.pi)
    middle = torch.where(far, (total + once) / 2, total / 2)
    gray = chromas == 0
    return torch.where(gray, 0, turn), torch.where(gray, total, middle)


def _weight(hue: Tensor) -> Tensor:
    """T of eq. 15, by the hue in radians."""
    # share, multiple, degrees taken off
    terms = ((-0.17, 1, 30), (0.24, 2, 0), (0.32, 3, -6), (-0.20, 4, 63))
    waves = (share * torch.cos(times * hue - _radians(off)) for share, times, off in terms)
    return 1 + sum(waves, start=torch.zeros_like(hue))


def _rotation(hue: Tensor, chroma: Tensor) -> Tensor:
    """R_T of eq. 19 to 21: blues bend."""
    bend = _radians(60) * torch.exp(-(((hue - _radians(275)) / _radians(25)) ** 2))
    return -2 * (chroma**7 / (chroma**7 + FAR)).sqrt() * torch.sin(bend)


def _radians(degrees: float) -> float:
    return degrees * torch.pi / 180
