"""A MediaWiki installed for the test and served on loopback is listed, fetched and measured.

It is listed by gallery-dl's wikimedia extractor.
"""

import importlib.util
import json
import os
import shutil
import socket
import subprocess
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from drawings import drawing, save
from gallery_lab import settings

MEDIAWIKI = Path("/usr/share/mediawiki")  # where Debian puts it
OURS = ("LocalSettings.php", "images", "config", "extensions")  # of a wiki its own; all else is Debian's
MORE = "\n$wgEnableUploads = true;\n$wgUseImageMagick = false;\n$wgMainCacheType = CACHE_NONE;\n"


def missing():
    """Why there can't be a wiki here; empty: there can."""
    if importlib.util.find_spec("gallery_dl") is None:
        return "gallery-dl isn't installed"
    if not (MEDIAWIKI / "maintenance/install.php").is_file():
        return "MediaWiki isn't installed: apt-get install mediawiki php-cli php-sqlite3"
    php = shutil.which("php")
    known = (
        subprocess.run([php, "-m"], capture_output=True, text=True, check=False).stdout.split() if php else []
    )
    return (
        ""
        if {"sqlite3", "pdo_sqlite", "mbstring", "xml", "intl"} <= set(known)
        else "php and its sqlite3 aren't installed"
    )


pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing() or "nothing is missing")]


@pytest.fixture
def wiki(tmp_path):
    """A wiki with three pictures: its address."""
    pictures, site, data = (tmp_path / name for name in ("pictures", "site", "data"))
    for number, name in enumerate(("Sylvie.png", "Two_cats.jpg", "画.png")):
        save(pictures / name, drawing(number))
    for folder in (site / "images", data):
        folder.mkdir(parents=True)
    for path in MEDIAWIKI.iterdir():
        if path.name not in OURS:
            (site / path.name).symlink_to(path)
    port = free_port()
    words = [
        f"--dbpath={data}",
        "--dbtype=sqlite",
        "--dbname=wiki",
        f"--confpath={site}",
        "--scriptpath=",
        f"--server=http://127.0.0.1:{port}",
    ]
    php(site, "maintenance/install.php", *words, "--pass=a long enough phrase", "Wiki", "Admin")
    with open(site / "LocalSettings.php", "a") as file:
        file.write(MORE)
    php(site, "maintenance/importImages.php", "--comment=CC0", str(pictures))
    with serving(site, port):
        yield f"http://127.0.0.1:{port}"


def php(site, script, *words):
    done = subprocess.run(
        ["php", script, *words],
        cwd=site,
        env=environment(site),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def environment(site):
    return os.environ | {"MW_INSTALL_PATH": str(site)}


def free_port():
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return server.getsockname()[1]


@contextmanager
def serving(site, port):
    """PHP's own server, from when it says that it has started."""
    server = subprocess.Popen(
        ["php", "-S", f"127.0.0.1:{port}", "-t", str(site)],
        cwd=site,
        env=environment(site),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        assert b"started" in server.stderr.readline()
        yield
    finally:
        server.kill()
        server.communicate()


def test_the_pictures_of_a_wiki_are_listed_fetched_and_measured(wiki, tmp_path, command, inline, monkeypatch):
    settings(tmp_path / "home")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    work = tmp_path / "work"
    words = [
        "ingest",
        work,
        f"gallery:wikimedia:{wiki}/",
        "--allow-private",
        "--set",
        "ingest.fetch.rate=0",
        "--json",
    ]
    funnel = command(*words)["funnel"]
    assert (funnel["found"], funnel["failed"]) == (3, {})
    rows = json.loads(
        command(
            "query",
            work,
            "SELECT file, status, width, height, url FROM records ORDER BY file",
            "--format",
            "json",
        )
    )
    assert [(row["file"], row["width"], row["height"]) for row in rows] == [
        ("Sylvie.png", 320, 360), ("Two_cats.jpg", 320, 360), ("画.png", 320, 360)
    ]  # fmt: skip
    assert all(row["url"].startswith(f"{wiki}/images/") for row in rows)
    assert command(*words)["funnel"]["found"] == 3
