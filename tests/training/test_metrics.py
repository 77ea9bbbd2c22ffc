"""The metrics against closed forms, torchmetrics, scikit-image and published pairs of colors."""

import re
import subprocess
import sys

import numpy as np
import pytest
import skimage.color
import skimage.metrics
import torch
import torchmetrics.functional.image as reference

from anidata import registry
from anidata.training.compared import Compared, lab
from anidata.training.data.loader import floats, to_tensor, to_uint8
from anidata.training.metrics import ciede2000, psnr, ssim

# L, a, b of two colors and their ΔE00: table 1 of Sharma, Wu, Dalal 2005
SHARMA = """
50 2.6772 -79.7751  50 0 -82.7485  2.0425
50 3.1571 -77.2803  50 0 -82.7485  2.8615
50 2.8361 -74.0200  50 0 -82.7485  3.4412
50 -1.3802 -84.2814  50 0 -82.7485  1.0000
50 -1.1848 -84.8006  50 0 -82.7485  1.0000
50 -0.9009 -85.5211  50 0 -82.7485  1.0000
50 0 0  50 -1 2  2.3669
50 -1 2  50 0 0  2.3669
50 2.4900 -0.0010  50 -2.4900 0.0009  7.1792
50 2.4900 -0.0010  50 -2.4900 0.0010  7.1792
50 2.4900 -0.0010  50 -2.4900 0.0011  7.2195
50 2.4900 -0.0010  50 -2.4900 0.0012  7.2195
50 -0.0010 2.4900  50 0.0009 -2.4900  4.8045
50 -0.0010 2.4900  50 0.0010 -2.4900  4.8045
50 -0.0010 2.4900  50 0.0011 -2.4900  4.7461
50 2.5 0  50 0 -2.5  4.3065
50 2.5 0  73 25 -18  27.1492
50 2.5 0  61 -5 29  22.8977
50 2.5 0  56 -27 -3  31.9030
50 2.5 0  58 24 15  19.4535
50 2.5 0  50 3.1736 0.5854  1.0000
50 2.5 0  50 3.2972 0  1.0000
50 2.5 0  50 1.8634 0.5757  1.0000
50 2.5 0  50 3.2592 0.3350  1.0000
60.2574 -34.0099 36.2677  60.4626 -34.1751 39.4387  1.2644
63.0109 -31.0961 -5.8663  62.8187 -29.7946 -4.0864  1.2630
61.2901 3.7196 -5.3901  61.4292 2.2480 -4.9620  1.8731
35.0831 -44.1164 3.7933  35.0232 -40.0716 1.5901  1.8645
22.7233 20.0904 -46.6940  23.0331 14.9730 -42.5619  2.0373
36.4612 47.8580 18.3852  36.2715 50.5065 21.2231  1.4146
90.8027 -2.0831 1.4410  91.1528 -1.6435 0.0447  1.4441
90.9257 -0.5406 -0.9208  88.6381 -0.8985 -0.7239  1.5381
6.7747 -0.2908 -2.4247  5.8714 -0.0985 -2.2286  0.6377
2.0776 0.0795 -1.1350  0.9033 -0.0636 -0.5514  0.9082
"""


def pictures(count=3, height=40, width=52, seed=0):
    """Smooth noise, (count, 3, height, width) in [-1, 1]."""
    coarse = torch.rand(count, 3, 6, 6, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")


def spoiled(truth, amount=0.2, seed=1):
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(seed))
    return (truth + amount * noise).clamp(-1, 1)


def test_the_names_of_metrics_are_known_without_torch():
    code = (
        "import sys; from anidata import registry; "
        "print(registry.names('metrics')); assert 'torch' not in sys.modules"
    )
    assert (
        "psnr"
        in subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    )


def test_an_unknown_metric_names_the_nearest():
    with pytest.raises(Exception, match=re.escape("metrics: there is no 'ciede'. Did you mean 'ciede2000'?")):
        registry.load("metrics", "ciede")


# --- uint8, as other implementations read it -------------------------------------------------------


def mirrored(picture):
    """With the border of 5 px that the window sees, which scikit-image leaves out of its mean again."""
    return np.pad(picture, ((5, 5), (5, 5), (0, 0)), mode="reflect")


def ssim_of_uint8(output, truth):
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "channel_axis": -1}
    return skimage.metrics.structural_similarity(mirrored(output), mirrored(truth), **settings)


def ciede2000_of_uint8(output, truth):
    return skimage.color.deltaE_ciede2000(*map(skimage.color.rgb2lab, (truth, output))).mean()


# by metric: of uint8 (h, w, 3) twice, by somebody else's code
OF_UINT8 = {
    "psnr": lambda output, truth: skimage.metrics.peak_signal_noise_ratio(truth, output),
    "ssim": ssim_of_uint8,
    "ciede2000": ciede2000_of_uint8,
}


def pairs_of_uint8():
    """Pictures as files hold them: noisy, gray, dark, white paper with a line, hues turned."""
    rng = np.random.default_rng(0)
    smooth = to_uint8(pictures(1, 48, 40)[0])
    noisy = to_uint8(spoiled(pictures(1, 48, 40))[0])
    grays = np.full((2, 48, 40, 3), [[[[118]]], [[[137]]]], np.uint8)
    grays[1, ::7] = 90
    paper = np.full((48, 40, 3), 255, np.uint8)
    lined = paper.copy()
    lined[10:12] = 0
    return {
        "noise": (noisy, smooth),
        "grays": tuple(grays),
        "dark": (noisy // 16, smooth // 16),
        "light": (240 + noisy // 16, 240 + smooth // 16),
        "paper": (lined, paper),
        "hues": (np.ascontiguousarray(smooth[..., ::-1]), smooth),
        "chance": tuple(rng.integers(0, 256, (2, 48, 40, 3), dtype=np.uint8)),
    }


@pytest.mark.parametrize("name", OF_UINT8)
@pytest.mark.parametrize("kind", pairs_of_uint8())
def test_each_metric_of_uint8_pictures_is_that_of_an_implementation_that_reads_uint8(name, kind):
    output, truth = pairs_of_uint8()[kind]
    compared = Compared(to_tensor(output)[None], to_tensor(truth)[None])
    value = registry.load("metrics", name).metric(compared)[name].item()
    assert value == pytest.approx(float(OF_UINT8[name](output, truth)), rel=1e-4, abs=1e-4)


# --- psnr ------------------------------------------------------------------------------------------


def test_psnr_of_a_constant_error_is_what_the_definition_says():
    truth = torch.zeros(1, 3, 16, 16)
    for error in (0.5, 0.1, 0.02):  # of a range of 2
        assert psnr.metric(Compared(truth + error, truth))["psnr"].item() == pytest.approx(
            20 * np.log10(2 / error), abs=1e-4
        )


def test_psnr_of_white_for_black_is_0_and_of_equals_100():
    white = torch.ones(1, 3, 8, 8)
    assert psnr.metric(Compared(white, -white))["psnr"].item() == pytest.approx(0, abs=1e-5)
    assert psnr.metric(Compared(white, white))["psnr"].item() == pytest.approx(100, abs=1e-4)


def test_psnr_agrees_with_torchmetrics_and_scikit_image():
    truth, output = pictures(), spoiled(pictures())
    for value, t, o in zip(psnr.metric(Compared(output, truth))["psnr"].tolist(), truth, output, strict=True):
        theirs = reference.peak_signal_noise_ratio(o, t, data_range=2.0).item()
        others = skimage.metrics.peak_signal_noise_ratio(t.numpy(), o.numpy(), data_range=2)
        assert value == pytest.approx(theirs, abs=1e-4)
        assert value == pytest.approx(others, abs=1e-4)


# --- ssim ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(40, 52), (6, 9), (12, 31), (64, 64)])
def test_ssim_agrees_with_torchmetrics(shape):
    truth = pictures(3, *shape)
    output = spoiled(truth)
    levels = ((p + 1) * 127.5 for p in (output, truth))
    expected = reference.structural_similarity_index_measure(*levels, data_range=255.0, reduction="none")
    torch.testing.assert_close(ssim.metric(Compared(output, truth))["ssim"], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("one", "other"), [(118, 137), (0, 255), (127, 128), (250, 20)])
def test_ssim_of_flat_grays_is_its_first_factor(one, other):
    c1 = (0.01 * 255) ** 2  # variances and covariance are zero, so the second factor is 1
    expected = (2 * one * other + c1) / (one**2 + other**2 + c1)
    grays = (floats(torch.full((1, 3, 20, 20), n, dtype=torch.uint8)) for n in (one, other))
    value = ssim.metric(Compared(*grays))["ssim"]
    assert value.item() == pytest.approx(expected, abs=1e-4)
    assert (one, other) != (118, 137) or value.item() == pytest.approx(0.989, abs=1e-3)


# --- ciede2000 -------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", SHARMA.split("\n")[1:-1])
def test_published_pairs_of_colors_have_their_published_difference(row):
    *colors, expected = [float(word) for word in row.split()]
    one, other = torch.tensor(colors, dtype=torch.float64).view(2, 1, 3)
    assert ciede2000.difference(one, other).item() == pytest.approx(expected, abs=5.1e-5)
    assert ciede2000.difference(other, one).item() == pytest.approx(expected, abs=5.1e-5)


def test_lab_is_that_of_scikit_image():
    levels = torch.rand(1, 3, 30, 30, generator=torch.Generator().manual_seed(0))
    expected = skimage.color.rgb2lab(levels[0].permute(1, 2, 0).double().numpy())
    mine = lab(levels.double())[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(mine, expected, atol=2e-3)


@pytest.mark.parametrize("kind", ["noise", "grays", "near"])
def test_ciede2000_agrees_with_scikit_image(kind):
    levels = np.random.default_rng(0).integers(0, 256, (2, 2, 24, 24, 3)).astype(np.float64) / 255
    if kind == "grays":
        levels[0] = levels[0][..., :1]
    if kind == "near":
        levels[1] = np.clip(levels[0] + 2 / 255, 0, 1)
    lab = skimage.color.rgb2lab(levels)
    expected = skimage.color.deltaE_ciede2000(lab[0], lab[1]).mean(axis=(1, 2))
    output, truth = (torch.from_numpy(p).permute(0, 3, 1, 2).float() * 2 - 1 for p in levels)
    np.testing.assert_allclose(
        ciede2000.metric(Compared(output, truth))["ciede2000"].numpy(), expected, rtol=2e-4
    )


def test_white_and_black_are_a_hundred_apart():
    white = torch.ones(1, 3, 4, 4)
    assert ciede2000.metric(Compared(white, -white))["ciede2000"].item() == pytest.approx(100, abs=1e-3)


def test_what_lies_outside_the_range_counts_as_its_end():
    assert (
        ciede2000.metric(Compared(torch.full((1, 3, 4, 4), 1.5), torch.ones(1, 3, 4, 4)))["ciede2000"].item()
        == 0
    )
