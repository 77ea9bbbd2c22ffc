"""A browser shows the page as meant.

Names are text, every picture is there, nothing is wider than a telephone, and the network is asked nothing.
"""

import pytest
from test_page import HOSTILE, Page, fill
from typer.testing import CliRunner

import anidata.cli.entry
from browser import CHROMIUM, asked, console, dumped, probed
from inline import Inline

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no chromium here")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A page over a pile with hostile names."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("anidata.engine.engine.Engine", Inline)
        for words in (
            ["ingest", folder / "work", fill(folder / "pile")],
            ["clean", folder / "work"],
            ["dedup", folder / "work"],
        ):
            CliRunner().invoke(anidata.cli.entry.app, [str(word) for word in words])
        done = CliRunner().invoke(anidata.cli.entry.app, ["report", str(folder / "work")])
    assert done.exit_code == 0, done.output
    return folder / "work/report.html"


def test_the_page_asks_the_network_for_nothing(path, tmp_path):
    dumped(path, tmp_path, f"--log-net-log={tmp_path / 'log.json'}")
    assert asked(tmp_path / "log.json") == []
    curious = tmp_path / "curious.html"
    curious.write_text("<img src='http://127.0.0.1:9/x.png'>")
    dumped(curious, tmp_path, f"--log-net-log={tmp_path / 'curious.json'}")
    assert set(asked(tmp_path / "curious.json")) == {"http://127.0.0.1:9/x.png"}  # the log would have told


def test_its_policy_holds_even_where_markup_gets_in(path, tmp_path):
    spoiled = tmp_path / "spoiled.html"
    inside = (
        "<img src='http://127.0.0.1:9/x.png'><link rel=stylesheet href='http://127.0.0.1:9/x.css'>"
        "<script>document.title = 'run'</script>"
    )
    whole = path.read_text(encoding="utf-8")
    spoiled.write_text(whole.replace("<main>", f"<main>{inside}"), encoding="utf-8")
    document = dumped(spoiled, tmp_path, f"--log-net-log={tmp_path / 'log.json'}")
    assert "<title>anidata report</title>" in document
    assert asked(tmp_path / "log.json") == []


def test_hostile_names_are_text(path, tmp_path):
    shown = Page(dumped(path, tmp_path))
    for name in HOSTILE:
        assert name.replace("\u202e", "\ufffd") in shown.text
    assert not any(name.startswith("on") for _, attrs in shown.tags for name in attrs)
    assert all(attrs["src"].startswith("data:") for attrs in shown.images())


def test_the_console_stays_empty(path, tmp_path):
    assert console(path, tmp_path) == []
    curious = tmp_path / "curious.html"
    curious.write_text("<script>console.error('told'); none()</script>")
    told, thrown = console(curious, tmp_path)  # the log would have told
    assert "told" in told
    assert "none is not defined" in thrown


@pytest.mark.parametrize("width", [390, 1280])
def test_every_picture_is_shown_and_nothing_is_wider_than_the_window(path, tmp_path, width):
    seen = probed(path, tmp_path, width)
    assert seen["pictures"] == path.read_text(encoding="utf-8").count("<img ") > 20
    assert seen["broken"] == 0
    assert seen["wide"] <= 0
