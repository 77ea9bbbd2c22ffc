"""`audit --page` shows what splits share, pair by pair.

Names are text, and no file of yours is written over.
"""

import re

import numpy as np
import pytest
from test_page import HOSTILE, read
from typer.testing import CliRunner

import anidata.cli.entry
from anidata.errors import BadImage, WorkspaceError
from anidata.reports.leaks import pictures
from browser import CHROMIUM, probed
from drawings import drawing
from leaked import encoded, mouth, write

NAMES = [name.removesuffix(".png").replace("/", "|").replace(".", " ") for name in HOSTILE]


def audit(*words):
    return CliRunner().invoke(anidata.cli.entry.app, ["audit", *map(str, words)])


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A data set of which six pictures leak, under names that are markup."""
    folder = tmp_path_factory.mktemp("planted")
    write(folder / "train.tar", {f"t{seed}": encoded(drawing(seed)) for seed in range(10)})
    changed = [
        np.rot90(drawing(0)),
        drawing(1)[12:-12, 12:-12],
        drawing(2)[:, ::-1],
        np.rot90(drawing(3), 2),
        drawing(20),
    ]
    write(
        folder / "test.tar",
        {f"{n}{name}": encoded(rgb) for n, (name, rgb) in enumerate(zip(NAMES, changed, strict=True))}
        | {"mouth": mouth(drawing(5)), "same": encoded(drawing(6))},
    )
    return folder


@pytest.fixture
def shown(planted, tmp_path, inline):
    result = audit(planted, "--page", tmp_path / "page.html")
    assert result.exit_code == 1, result.output
    assert result.output.splitlines()[-1].startswith(f"{tmp_path}/page.html")
    assert "leak_near  test.tar/mouth.png  a near-duplicate of train.tar/t5.png (variant)" in result.output
    return read(tmp_path / "page.html")


def test_each_leak_has_its_pair_and_what_differs(shown):
    assert "6 pictures are in two splits" in shown.text
    assert len(shown.images()) == 18
    assert all(attrs["src"].startswith("data:image/webp;base64,") for attrs in shown.images())
    assert all(attrs["alt"] for attrs in shown.images())
    assert [tag for tag, _ in shown.tags].count("h3") == 6
    for relation in ("exact", "crop", "flip", "turn", "variant"):
        assert relation in shown.text


def test_names_that_are_markup_stand_there_as_text(shown):
    for number, name in enumerate(NAMES[:4]):
        assert f"test.tar/{number}{name}.png".replace("\u202e", "\ufffd") in shown.text
    assert not {"script", "svg", "iframe", "object", "embed", "form"} & {tag for tag, _ in shown.tags}
    assert not any(name.startswith("on") for _, attrs in shown.tags for name in attrs)


def test_it_names_no_place_outside_itself(shown, planted):
    assert not re.search(r"https?:|file:|url\(|@import|<script", shown.source)
    assert str(planted) not in shown.source
    assert "default-src 'none'; img-src data:" in shown.source


@pytest.mark.skipif(not CHROMIUM, reason="there is no chromium here")
@pytest.mark.parametrize("width", [390, 1240])
def test_every_picture_is_shown_and_nothing_is_wider_than_the_window(shown, tmp_path, width):
    seen = probed(tmp_path / "page.html", tmp_path, width)
    assert seen["pictures"] == len(shown.images())
    assert seen["broken"] == 0
    assert seen["wide"] <= 0


def test_the_same_audit_writes_the_same_page_over_its_own(planted, tmp_path, inline):
    audit(planted, "--page", tmp_path / "page.html")
    first = (tmp_path / "page.html").read_bytes()
    assert audit(planted, "--page", tmp_path / "page.html").exit_code == 1
    assert (tmp_path / "page.html").read_bytes() == first


@pytest.mark.parametrize("there", ["mine", "link", "folder"])
def test_what_is_no_page_of_an_audit_stays_as_it_is(planted, tmp_path, inline, there):
    path = tmp_path / "page.html"
    if there == "mine":
        path.write_text("mine")
    elif there == "folder":
        path.mkdir()
    else:
        (tmp_path / "mine").write_text("mine")
        path.symlink_to(tmp_path / "mine")
    result = audit(planted, "--page", path)
    assert isinstance(result.exception, WorkspaceError)
    assert "Name another file: --page FILE" in str(result.exception)
    assert there != "mine" or path.read_text() == "mine"
    assert there != "link" or (path.is_symlink() and (tmp_path / "mine").read_text() == "mine")


def test_no_page_is_written_into_a_data_set(tmp_path, inline):
    (tmp_path / "set").mkdir()
    (tmp_path / "set/.anidata").write_text('{"format": 1, "kind": "dataset"}')
    write(tmp_path / "set/data/train.tar", {"a": encoded(drawing(1))})
    result = audit(tmp_path / "set", "--page", tmp_path / "set/page.html")
    assert isinstance(result.exception, WorkspaceError)
    assert not (tmp_path / "set/page.html").exists()


def test_a_sound_data_set_has_a_page_that_says_so(tmp_path, inline):
    write(tmp_path / "set/train.tar", {"a": encoded(drawing(1))})
    write(tmp_path / "set/test.tar", {"b": encoded(drawing(2))})
    assert audit(tmp_path / "set", "--page", tmp_path / "page.html").exit_code == 0
    shown = read(tmp_path / "page.html")
    assert "No picture is in two splits" in shown.text
    assert shown.images() == []


def test_what_can_not_be_opened_any_more_is_said(planted, tmp_path, inline, monkeypatch):
    def gone(_reference):
        raise BadImage("missing", "<b>the file is gone</b>")

    monkeypatch.setattr(pictures, "_opened", gone)
    audit(planted, "--page", tmp_path / "page.html")
    shown = read(tmp_path / "page.html")
    assert shown.text.count("can’t be shown: missing: <b>the file is gone</b>") == 6


def test_a_crop_is_laid_on_the_whole_whichever_is_ours():
    rgb = drawing(1)
    part = np.ascontiguousarray(rgb[40:, 40:])
    assert not pictures._compared(rgb, part, "crop").is_ours_laid
    assert pictures._compared(part, rgb, "crop").is_ours_laid
