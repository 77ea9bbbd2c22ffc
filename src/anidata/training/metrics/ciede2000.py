"""Mean color difference ΔE00 as the eye has it: \
0 (the same), 1 (just noticeable side by side), 100 (black for white).

    ΔE00² = (ΔL'/S_L)² + (ΔC'/S_C)² + (ΔH'/S_H)² + R_T·(ΔC'/S_C)·(ΔH'/S_H)

This is in CIE Lab under D65, with k_L = k_C = k_H = 1.
Source: Sharma, Wu, Dalal 2005, "The CIEDE2000 color-difference formula: implementation notes, supplementary
test data, and mathematical observations", eq. 2 to 22; IEC 61966-2-1 for sRGB, CIE 15 for Lab
"""

import torch
from torch import Tensor

VERSION, BETTER = 1, "lower"
# of linear sRGB, D65
TO_XYZ = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
WHITE = (0.95047, 1.0, 1.08883)  # of D65, 2° observer
EPSILON = 0.008856  # where Lab's cube root becomes a line
KAPPA = 7.787  # slope of that line
FAR = 25.0**7  # of chroma: what eq. 4 and 21 weigh against


def metric(output: Tensor, truth: Tensor) -> Tensor:
    """(b, 3, h, w) in [-1, 1], twice → (b,)."""
    return difference(lab(output), lab(truth)).mean(dim=(1, 2))


def lab(pictures: Tensor) -> Tensor:
    """L in [0, 100], a and b in about [-128, 127]: of sRGB (b, 3, h, w) in [-1, 1], else clipped."""
    value = (pictures.clamp(-1, 1) + 1) / 2
    linear = torch.where(value > 0.04045, ((value + 0.055) / 1.055) ** 2.4, value / 12.92)
    relative = linear.new_tensor(TO_XYZ) / linear.new_tensor(WHITE)[:, None]
    xyz = torch.einsum("ij,bjhw->bihw", relative, linear)
    x, y, z = torch.where(xyz > EPSILON, xyz.clamp(min=EPSILON) ** (1 / 3), KAPPA * xyz + 16 / 116).unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


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
