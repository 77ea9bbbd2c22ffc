"""A browser shows the page as meant.

Names are text, every picture is there, nothing is wider than a telephone, and the network is asked nothing.
"""

import html
import json
import re
import shutil
import subprocess

import pytest
from test_page import HOSTILE, Page, fill
from typer.testing import CliRunner

import anidata.cli.entry
from inline import Inline

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-default-apps",
    "--disable-extensions",
    # Chromium asks its maker's servers all the same: it finds no way to them, and no name is looked up.
    "--proxy-server=127.0.0.1:9",
    "--host-resolver-rules=MAP * ~NOTFOUND",
]
# In a net log, whoever asks in Chromium's own name; a page is an origin, if only "null".
ITS_OWN = "not an origin"
PROBE = """<script>addEventListener("load", () => {
    const pictures = [...document.images], wide = document.documentElement.scrollWidth - innerWidth;
    const broken = pictures.filter(p => !p.naturalWidth).length;
    document.title = JSON.stringify({pictures: pictures.length, broken, wide});
})</script>"""

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


def dumped(page, folder, *more):
    """The document as Chromium has it after loading."""
    words = [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", *more, "--dump-dom", page.as_uri()]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def asked(log):
    """The URLs that a page asked for, beyond its own file and what it holds itself."""
    events = [event.get("params", {}) for event in json.loads(log.read_text(encoding="utf-8"))["events"]]
    asked = [
        event["url"] for event in events if "url" in event and event.get("initiator", ITS_OWN) != ITS_OWN
    ]
    return [url for url in asked if not url.startswith(("file:", "data:"))]


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


@pytest.mark.parametrize("width", [390, 1280])
def test_every_picture_is_shown_and_nothing_is_wider_than_the_window(path, tmp_path, width):
    probed = tmp_path / "probed.html"
    whole = path.read_text(encoding="utf-8")
    unguarded = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", whole)
    probed.write_text(unguarded.replace("</head>", PROBE + "</head>"), encoding="utf-8")
    document = dumped(probed, tmp_path, f"--window-size={width},900")
    probe = json.loads(html.unescape(re.search(r"<title>(.*?)</title>", document)[1]))
    assert probe["pictures"] == whole.count("<img ") > 20
    assert probe["broken"] == 0
    assert probe["wide"] <= 0
