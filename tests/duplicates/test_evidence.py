"""Of two copies the one nearer to what the artist made is told by pixels alone, or nothing is said."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter, ImageOps

import anidata
from anidata.catalog import tables
from anidata.catalog.catalog import Catalog
from anidata.duplicates import damage, evidence
from anidata.duplicates.alignment import View, thumbnail
from anidata.duplicates.page import Page
from anidata.duplicates.relation import related
from anidata.errors import BadImage
from anidata.imaging.decode import decode
from anidata.stages.dedup import verify
from anidata.workspace import open_workspace
from drawings import save

ART = Path(anidata.__file__).parent / "art"
PICTURES = sorted(p.name for p in ART.iterdir() if p.name in ("comic_01.webp", "vn_background_01.jpg"))


def art(name, side=480):
    rgb = decode((ART / name).read_bytes(), 10**8).rgb
    scale = min(1, side / max(rgb.shape[:2]))
    return cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def painting(seed=0, height=420, width=360):
    """Strokes of many colors, shaded, to the rim."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    page = np.stack([120 + 60 * np.sin(x / w + y / h) for w, h in rng.uniform(40, 120, (3, 2))], axis=2)
    for a, b, radius in rng.integers((0, 0, 4), (width, height, 60), (140, 3)).tolist():
        color = rng.integers(20, 236, 3).tolist()
        cv2.ellipse(page, (a, b), (radius, radius // 2 + 2), a, 0, 360, color, -1, cv2.LINE_AA)
        cv2.ellipse(page, (a, b), (radius, radius // 2 + 2), a, 0, 300, (30, 25, 40), 2, cv2.LINE_AA)
    return np.clip(page, 0, 255).astype(np.uint8)


def recoded(rgb, form, **how):
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, form, **how)
    with Image.open(file) as again:
        return np.asarray(again.convert("RGB"))


def jpeg(rgb, quality):
    return recoded(rgb, "JPEG", quality=quality)


def scaled(rgb, factor, how=Image.Resampling.LANCZOS):
    picture = Image.fromarray(rgb)
    return np.asarray(picture.resize([round(n * factor) for n in picture.size], how))


def filtered(rgb, how):
    return np.asarray(Image.fromarray(rgb).filter(how))


def bordered(rgb, high, wide, color):
    return cv2.copyMakeBorder(rgb, high, high, wide, wide, cv2.BORDER_CONSTANT, value=color)


def turned(rgb, degrees):
    return np.asarray(
        Image.fromarray(rgb).rotate(degrees, Image.Resampling.BICUBIC, fillcolor=(255, 255, 255))
    )


def credited(rgb):
    page = Image.new("RGB", (rgb.shape[1], rgb.shape[0] + 40))
    page.paste(Image.fromarray(rgb))
    ImageDraw.Draw(page).text((12, rgb.shape[0] + 8), "posted by somebody, 1999", fill=(255, 255, 255))
    return np.asarray(page)


def framed(rgb, wide=34):
    page = bordered(rgb, wide, wide, (90, 20, 30))
    height, width = page.shape[:2]
    for x in range(wide // 2, width, 24):
        for y in (wide // 2, height - wide // 2):
            cv2.circle(page, (x, y), 10, (220, 190, 60), -1)
    for y in range(wide // 2, height, 24):
        for x in (wide // 2, width - wide // 2):
            cv2.circle(page, (x, y), 10, (220, 190, 60), -1)
    page[wide:-wide, wide:-wide] = rgb
    return page


def tiles(seed=0, height=380, width=320):
    """A sheet of small tiles, steep everywhere."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (height // 10, width // 10, 3), np.uint8)
    page = painting(seed, height, width)
    return cv2.addWeighted(page, 0.5, small.repeat(10, axis=0).repeat(10, axis=1), 0.5, 0)


def half_length(seed=0, side=400):
    """A figure on white paper that the frame cuts off below."""
    page = np.full((side, side, 3), 255, np.uint8)
    body, figure = np.zeros((side, side), np.uint8), painting(seed, side, side)
    cv2.ellipse(body, (side // 2, side // 3), (50, 60), 0, 0, 360, 255, -1, cv2.LINE_AA)
    cv2.ellipse(body, (side // 2, side), (120, 190), 0, 0, 360, 255, -1, cv2.LINE_AA)
    share = body[..., None] / 255
    return np.rint(share * figure + (1 - share) * page).astype(np.uint8)


def signed(rgb):
    page = Image.fromarray(rgb)
    ImageDraw.Draw(page).text((200, 380), "@me", fill=(205, 200, 192))
    return np.asarray(page)


def palette(rgb, colors):
    return np.asarray(Image.fromarray(rgb).quantize(colors, dither=Image.Dither.NONE).convert("RGB"))


def told(a, b, flipped=False):
    """The evidence, which doesn't depend on who is named first."""
    a, b = (np.ascontiguousarray(p) for p in (a, b))
    one, other = View(thumbnail(a)), View(thumbnail(b))
    answer = evidence.compare(related(one, other, flipped), lambda: (Page(a), Page(b)))
    back = evidence.compare(related(other, one, flipped), lambda: (Page(b), Page(a)))
    assert (back.because, back.better) == (answer.because, {"a": "b", "b": "a", None: None}[answer.better])
    return answer


CHANGES = {
    "crop": (lambda p: p[18:-6, 8:-16], {"crop"}),
    "small crop": (lambda p: scaled(p[18:-6, 8:-16], 0.7), {"crop"}),
    "crop as jpeg": (lambda p: jpeg(np.ascontiguousarray(p[18:, :-16]), 90), {"crop"}),
    "bars": (lambda p: bordered(p, 60, 0, (0, 0, 0)), {"bar"}),
    "border": (lambda p: bordered(p, 40, 40, (255, 255, 255)), {"frame"}),
    "decorated frame": (framed, {"frame"}),
    "credit bar": (credited, {"bar"}),
    "turned": (lambda p: turned(p, 2), {"turn"}),
    "half": (lambda p: scaled(p, 0.5), {"detail"}),
    "half as jpeg": (lambda p: jpeg(scaled(p, 0.5), 90), {"detail"}),
    "enlarged": (lambda p: scaled(p, 2, Image.Resampling.BICUBIC), {"detail"}),
    "enlarged, sharpened": (
        lambda p: filtered(scaled(p, 2, Image.Resampling.BICUBIC), ImageFilter.UnsharpMask(1.5, 60, 0)),
        {"detail"},
    ),
    "tripled": (lambda p: p.repeat(3, axis=0).repeat(3, axis=1), {"detail"}),
    "blurred": (lambda p: filtered(p, ImageFilter.GaussianBlur(1.2)), {"detail"}),
    "jpeg 30": (lambda p: jpeg(p, 30), {"blocks"}),
    "jpeg 90": (lambda p: jpeg(p, 90), {"quality"}),
    "few colors": (lambda p: palette(p, 128), {"palette"}),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("change", CHANGES)
def test_the_original_is_told_from_what_was_made_of_it(seed, change):
    page, (made, codes) = painting(seed), CHANGES[change]
    answer = told(page, made(page))
    assert answer.better == "a"
    assert answer.because in codes


@pytest.mark.parametrize("change", ["crop", "bars", "half", "enlarged", "jpeg 30"])
@pytest.mark.parametrize("quality", [85, 95])
def test_of_an_original_that_is_a_jpeg_itself_no_copy_is_better(quality, change):
    page = jpeg(painting(5), quality)
    assert told(page, CHANGES[change][0](page)).better == "a"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "frame", [framed, credited, lambda p: bordered(p, 60, 0, (0, 0, 0))], ids=["framed", "credited", "barred"]
)
def test_a_frame_around_tiles_is_no_part_of_them(seed, frame):
    answer = told(tiles(seed), frame(tiles(seed)))
    assert answer.better == "a"
    assert answer.because in {"frame", "bar"}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("wide", [12, 20, 40])
@pytest.mark.parametrize("quality", [0, 85])
def test_paper_around_a_figure_that_the_frame_cut_off_was_put_there(seed, wide, quality):
    page = half_length(seed)
    made = bordered(page, wide, wide, (255, 255, 255))
    answer = told(page, jpeg(made, quality) if quality else made)
    assert answer == ("a", "frame")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("cut", [(30, 14, 20, 26), (20, 20, 20, 20), (8, 8, 8, 8)])
def test_a_cut_from_such_a_figure_never_passes_for_the_whole(seed, cut):
    page = half_length(seed)
    above, below, left, right = cut
    assert told(page, page[above:-below, left:-right]).better in ("a", None)


@pytest.mark.parametrize("seed", range(3))
def test_a_cut_beside_a_straight_edge_never_passes_for_the_whole(seed):
    page = np.full((420, 400, 3), 255, np.uint8)
    page[60:380, 40:360] = painting(seed, 320, 320)
    for off in (3, 6, 10):
        made = page[60 - off : 380 + off, 40 - off : 360 + off]
        assert told(page, jpeg(np.ascontiguousarray(made), 90)).because not in {"frame", "bar"}


@pytest.mark.parametrize("seed", range(3))
def test_a_mark_on_plain_ground_was_put_there(seed):
    page = painting(seed)
    page[370:] = (240, 236, 225)
    answer = told(page, signed(page))
    assert answer == ("a", "overlay")


def test_there_are_bundled_pictures_to_look_at():
    assert PICTURES


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("change", ["crop", "bars", "half", "enlarged", "jpeg 30", "blurred"])
def test_of_the_bundled_art_no_copy_is_better(name, change):
    page = art(name)
    assert told(page, CHANGES[change][0](page)).better in ("a", None)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("quality", [0, 85])
@pytest.mark.parametrize(
    "change",
    [
        lambda p: jpeg(jpeg(jpeg(p, 75), 60), 80),
        lambda p: recoded(p, "WEBP", quality=80),
        lambda p: p[3:-4, 5:-2],
        lambda p: jpeg(np.clip(p * 1.1, 0, 255).astype(np.uint8), 92),
        lambda p: np.clip(p.astype(np.float32) * 1.35, 0, 255).astype(np.uint8),
        lambda p: scaled(p, 0.8),
        lambda p: jpeg(scaled(p, 1.3), 90),
    ],
    ids=["jpeg thrice", "webp", "cut", "brighter", "brighter without loss", "smaller", "larger"],
)
def test_what_pixels_hardly_tell_is_never_told_wrongly(seed, quality, change):
    page = jpeg(painting(seed), quality) if quality else painting(seed)
    assert told(page, change(page)).better in ("a", None)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "change",
    [
        lambda p: np.asarray(ImageOps.posterize(Image.fromarray(p), 6)),
        lambda p: palette(p, 200),
        lambda p: (p.astype(np.float32) * 0.8 + 20).astype(np.uint8),
    ],
    ids=["posterized", "palette", "paler"],
)
def test_colors_changed_without_loss_are_told_from_those_they_came_of(seed, change):
    page = painting(seed)
    assert told(page, change(page)).better == "a"


@pytest.mark.parametrize("seed", range(3))
def test_where_each_color_became_one_of_its_own_nothing_is_lost(seed):
    page = np.clip(painting(seed), 0, 200)
    assert told(page, page + np.uint8(30)) == evidence.NONE


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 50), st.integers(0, 50), st.booleans())
def test_damage_says_the_same_the_other_way_round(seed, other, in_place):
    a, b = Page(painting(seed)), Page(jpeg(painting(other), 60))
    network = damage.network("in place" if in_place else "elsewhere")
    odds = network.odds(damage.differences(a, b, in_place=in_place))
    assert odds == pytest.approx(-network.odds(damage.differences(b, a, in_place=in_place)), abs=1e-4)


def test_a_mirrored_jpeg_is_the_worse_one():
    page = painting(1)
    assert told(page, jpeg(np.ascontiguousarray(page[:, ::-1]), 60), flipped=True).better == "a"


def test_of_a_mirrored_picture_pixels_tell_nothing():
    page = painting(1)
    assert told(page, page[:, ::-1], flipped=True) == evidence.NONE


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 500), st.tuples(st.integers(1, 260), st.integers(1, 260)))
def test_nothing_is_said_of_a_picture_and_itself(seed, shape):
    page = painting(seed)[: shape[0], : shape[1]]
    assert told(page, page) == evidence.NONE


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (40, 40), (300, 200)])
def test_nothing_is_said_of_blank_pages(value, shape):
    page = np.full((*shape, 3), value, np.uint8)
    assert told(page, scaled(page, 2)) == evidence.NONE


def test_what_was_never_a_copy_has_no_evidence():
    assert told(painting(1), painting(2)) == evidence.NONE


def test_where_pixels_are_gone_the_relation_by_thumbnails_stands():
    page = painting(1)
    small = scaled(page, 0.5)

    def gone():
        raise BadImage("missing", "gone since")

    judged = verify.pair_judged(View(thumbnail(page)), View(thumbnail(small)), "no", gone)
    assert judged == ("reencoded", evidence.NONE, True)


def test_dedup_keeps_the_evidence_with_the_relation(tmp_path, command):
    page = painting(3)
    save(tmp_path / "pile" / "a.png", page)
    save(tmp_path / "pile" / "b.jpg", page, 30)
    save(tmp_path / "pile" / "c.png", page[16:-8, 10:-20])
    command("ingest", tmp_path / "work", tmp_path / "pile")
    command("dedup", tmp_path / "work")
    workspace = open_workspace(tmp_path / "work")
    with Catalog(workspace) as views:
        files = {row["key"]: row["file"] for row in views.select("SELECT key, file FROM records").to_pylist()}
        links = views.select("SELECT * FROM _links WHERE better IS NOT NULL").to_pylist()
    seen = {files[link[link["better"]]]: link["because"] for link in links}
    assert set(seen) == {"a.png"}
    assert {link["because"] for link in links} <= {"blocks", "crop"}
    assert tables.files(workspace.folder("relations"))
