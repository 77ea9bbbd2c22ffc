"""Coloring pictures of any size with a model of one size, and sheets of samples."""

import cv2
import numpy as np
import pytest
import torch

from anidata.errors import RecipeError, UnknownPart
from anidata.imaging import decode, fit
from anidata.imaging.lines import is_lineart
from anidata.lineart import draw
from anidata.training.data import conditions
from anidata.training.inference import ink
from anidata.training.inference.colorize import colorize, lay
from anidata.training.run.grids import grid
from drawings import ART, drawing

SIZE = 64
torch.set_num_threads(1)


class Painter:
    """A baseline that paints by a rule, and remembers what it was told."""

    networks, optimizers, sampled = {}, {}, ()

    def __init__(self, rule):
        self.rule, self.batches = rule, []

    def step(self, batch, generator, update): ...

    def sample(self, batch, generator):
        self.batches.append(batch)
        return self.rule(batch, generator)


def copy(batch, generator):
    """The line itself, in gray."""
    return batch.condition[:, :1].expand(-1, 3, -1, -1)


def flat(*color):
    """One color all over, where there is no ink."""
    paint = torch.tensor(color).view(1, 3, 1, 1) / 127.5 - 1
    return lambda batch, generator: (paint + 1) * (batch.condition[:, :1] + 1) / 2 - 1


def colored(picture, painter=None, names=("lineart",), seed=0, **options):
    painter = painter or Painter(copy)
    return colorize(painter, picture, names, SIZE, torch.Generator().manual_seed(seed), **options)


def page(height=200, width=160):
    """Line art with a box, a ring and a stroke."""
    line = np.full((height, width), 255, np.uint8)
    cv2.rectangle(line, (width // 8, height // 8), (width // 2, height // 2), 0, 3, cv2.LINE_AA)
    cv2.circle(line, (width // 2, 3 * height // 4), height // 8, 0, 3, cv2.LINE_AA)
    cv2.line(line, (width // 2, height // 3), (width - 5, height // 2), 0, 3, cv2.LINE_AA)
    return line


def read(path):
    return decode.decode(path.read_bytes(), 10**8).rgb


# --- line art or a picture -------------------------------------------------------------------------


def pictures(ending):
    return sorted(p for p in ART.iterdir() if p.name.endswith(ending))


@pytest.mark.parametrize("path", pictures("_line.png"), ids=lambda p: p.name)
def test_an_artists_line_drawing_is_line_art(path):
    assert is_lineart(read(path))


@pytest.mark.parametrize(
    "path",
    [p for p in pictures((".png", ".jpg", ".webp")) if not p.name.endswith("_line.png")],
    ids=lambda p: p.name,
)
def test_a_picture_is_not(path):
    assert not is_lineart(read(path))


def test_a_scan_on_gray_paper_with_its_noise_is_line_art_and_its_paper_becomes_white():
    noise = np.random.default_rng(0).normal(0, 3, page().shape)
    scan = np.clip(page() * (225 / 255) + noise, 0, 255).astype(np.uint8)
    rgb = np.dstack([scan] * 3)
    assert is_lineart(rgb)
    line = ink.of_lineart(rgb)
    assert np.median(line) == 255
    assert np.abs(line.astype(int) - page()).mean() < 4


def test_neither_a_gray_photograph_nor_white_on_black_is_line_art():
    ramp = np.repeat(np.tile(np.arange(256, dtype=np.uint8), (256, 1))[..., None], 3, axis=2)
    assert not is_lineart(ramp)
    assert not is_lineart(255 - np.dstack([page()] * 3))


# --- what the model is told ------------------------------------------------------------------------


def test_line_art_is_told_as_it_is_on_a_white_page():
    painter = Painter(copy)
    colored(page(200, 160), painter)
    batch = painter.batches[0]
    expected = fit.fit(page(200, 160), SIZE, "pad", "area")
    np.testing.assert_allclose(batch.condition[0, 0].numpy(), expected / 127.5 - 1, atol=1e-6)
    assert batch.color.shape == (1, 3, SIZE, SIZE)
    assert (batch.color == 0).all()


def test_a_picture_is_drawn_first_in_the_style_asked_for():
    for style in ("xdog", "canny"):
        painter = Painter(copy)
        colored(drawing(1, 90, 120), painter, style=style)
        expected = fit.fit(draw.draw(drawing(1, 90, 120), style), SIZE, "pad", "area")
        line = painter.batches[0].condition[0, 0].numpy()
        np.testing.assert_allclose(line, expected / 127.5 - 1, atol=1e-6)


def test_a_large_picture_is_drawn_at_the_size_at_which_data_sets_are_drawn():
    painter = Painter(copy)
    large = cv2.resize(drawing(2, 256, 256), (1024, 1024), interpolation=cv2.INTER_CUBIC)
    colored(large, painter)
    expected = fit.fit(draw.draw(fit.fit(large, 512, "pad", "area")), SIZE, "pad", "area")
    np.testing.assert_allclose(painter.batches[0].condition[0, 0].numpy(), expected / 127.5 - 1, atol=1e-6)


@pytest.mark.parametrize(
    "names", [(n,) for n in conditions.CONDITIONS] + [("lineart", "hints", "gray"), ("reference", "none")]
)
def test_all_conditions_have_their_channels(names):
    painter = Painter(copy)
    assert colored(drawing(3, 70, 90), painter, names).shape == (90, 70, 3)
    assert painter.batches[0].condition.shape == (1, conditions.channels(names), SIZE, SIZE)


def test_of_hints_there_are_none():
    painter = Painter(copy)
    colored(page(), painter, ("lineart", "hints"))
    assert (painter.batches[0].condition[:, 1:] == 0).all()


def test_a_picture_is_its_own_reference_and_line_art_takes_another():
    painter = Painter(copy)
    other = drawing(4, 100, 60)
    colored(page(), painter, ("lineart", "reference"), reference=other)
    colored(other, painter, ("lineart", "reference"))
    expected = torch.from_numpy(fit.fit(other, SIZE, "pad", "area") / 127.5 - 1).float().permute(2, 0, 1)
    for batch in painter.batches:
        torch.testing.assert_close(batch.condition[0, 1:], expected, atol=1e-6, rtol=0)
    with pytest.raises(RecipeError, match=r"line art has none\. Name a colored picture: --reference"):
        colored(page(), painter, ("lineart", "reference"))


def test_an_unknown_style_names_the_nearest():
    with pytest.raises(UnknownPart, match="Did you mean 'xdog'"):
        colored(drawing(1, 60, 60), style="xdgo")


# --- the way back ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 300), (300, 2), (64, 64), (63, 65), (20, 31), (130, 300), (500, 123)]
)
@pytest.mark.parametrize("names", [("lineart",), ("gray",), ("none",)])
def test_the_output_has_the_pictures_own_size(shape, names):
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    for picture in (noise, noise[..., 0]):
        output = colored(picture, names=names)
        assert output.shape == (*shape, 3)
        assert output.dtype == np.uint8


def test_a_picture_of_the_models_size_gets_the_models_output_untouched():
    line = page(SIZE, SIZE)
    assert np.array_equal(colored(line), np.dstack([line] * 3))


def test_what_the_model_paints_beside_the_picture_is_cut_off():
    """It paints the page's borders red."""

    def framed(batch, generator):
        painted = torch.ones(1, 3, SIZE, SIZE)
        painted[:, 1:, :, : SIZE // 4] = painted[:, 1:, :, -SIZE // 4 :] = -1
        return painted

    assert (colored(np.full((400, 200), 255, np.uint8), Painter(framed)) == 255).all()


def test_lines_come_back_at_full_size_and_the_color_between_them_is_the_models():
    line = page(800, 640)
    output = colored(line, Painter(flat(200, 120, 60)))
    expected = line[..., None] / 255 * np.array([200, 120, 60])
    assert np.abs(output - expected).max() <= 8  # beside a line; the model's page is a tenth as wide
    assert np.abs(output - expected).mean() <= 0.5


def test_color_ends_in_the_middle_of_a_line_and_is_not_seen_beyond_it():
    """Two fields with a line between them, reduced as a model would have it.

    Each keeps its color up to the line.
    """
    line = np.full((640, 640), 255, np.uint8)
    line[:, 300:314] = 0
    truth = np.full((640, 640, 3), (230, 60, 40), np.uint8)
    truth[:, 307:] = (40, 90, 220)
    inked = np.asarray(truth * (line[..., None] / 255), np.uint8)
    laid = lay(line, fit.resize(inked, 80, 80, "area"))
    away = np.abs(laid.astype(int) - inked).max(axis=2)
    assert away.max() <= 24
    assert away[:, :292].max() <= 4
    assert away[:, 322:].max() <= 4
    plain = cv2.resize(fit.resize(inked, 80, 80, "area"), (640, 640), interpolation=cv2.INTER_CUBIC)
    assert np.abs(plain.astype(int) - inked).max() > 100  # what it is spared


def test_a_solid_black_area_stays_black():
    line = page(640, 640)
    line[400:600, 400:600] = 0
    assert colored(line, Painter(flat(200, 120, 60)))[402:598, 402:598].max() == 0


def test_a_model_that_is_told_the_gray_keeps_it_at_full_size():
    """Sepia over a gray photograph."""
    rows, columns = np.mgrid[:300, :200]
    gray = (128 + 60 * np.sin(rows / 5) * np.cos(columns / 3)).astype(np.uint8)

    def sepia(batch, generator):
        return (batch.condition * 0.6).expand(-1, 3, -1, -1) + torch.tensor([0.1, 0.0, -0.1]).view(1, 3, 1, 1)

    output = colored(gray, Painter(sepia), ("gray",))
    assert np.abs(cv2.cvtColor(output, cv2.COLOR_RGB2GRAY).astype(int) - gray).max() <= 2
    assert (output[..., 0].astype(int) - output[..., 2] > 10).all()


def test_the_generator_alone_decides_what_is_random():
    noise = Painter(lambda batch, generator: torch.rand(1, 3, SIZE, SIZE, generator=generator) * 2 - 1)
    one, again, other = (colored(page(), noise, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_the_picture_stays_as_it_is_and_may_be_read_only():
    picture = drawing(5, 100, 80)
    before = picture.copy()
    picture.flags.writeable = False
    colored(picture)
    assert np.array_equal(picture, before)


# --- sheets ----------------------------------------------------------------------------------------


def test_a_sheet_has_a_row_of_line_output_and_truth_for_each_picture():
    generator = torch.Generator().manual_seed(0)
    line, output, truth = (torch.rand(2, c, 8, 6, generator=generator) * 2 - 1 for c in (1, 3, 3))
    sheet = grid(line, output, truth)
    assert sheet.shape == (2 * 8 + 2, 3 * 6 + 2 * 2, 3)
    assert sheet.dtype == np.uint8
    levels = lambda t: np.rint((t.permute(1, 2, 0).numpy() + 1) * 127.5)  # noqa: E731
    for n, top in enumerate((0, 10)):
        for tensor, left in ((line, 0), (output, 8), (truth, 16)):
            assert np.abs(sheet[top : top + 8, left : left + 6] - levels(tensor[n])).max() <= 1
    assert (sheet[8:10] == 255).all()
    assert (sheet[:, 6:8] == 255).all()


def test_a_sheet_shows_every_condition_and_hints_on_white():
    names = ("hints", "reference", "gray")
    condition = torch.zeros(1, 8, 4, 4)
    condition[0, :4, 0, 0] = torch.tensor([-1.0, 1.0, -1.0, 1.0])  # a green hint
    sheet = grid(condition, torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4), names)
    assert sheet.shape == (4, 5 * 4 + 4 * 2, 3)
    assert sheet[0, 0].tolist() == [0, 255, 0]
    assert (sheet[1:, :4] == 255).all()
