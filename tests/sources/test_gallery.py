"""Galleries by the real gallery-dl, from a Danbooru of our own.

All is listed, or a row says what isn't and why; no secret comes along.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anidata import registry
from anidata.errors import MissingExtra, SourceError
from anidata.sources import Options, Record
from anidata.sources.listing import pairing
from anidata.sources.web import gallery_dl, secrets
from anidata.storage import Reference
from gallery_lab import Booru, needs_gallery_dl, post, settings

SECRET = "s3cr3t"
pytestmark = needs_gallery_dl


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home with a config of gallery-dl's own, and no other."""
    settings(tmp_path / "home")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    return tmp_path / "home"


def records(source, **options):
    return list(
        registry.load("sources", "gallery").records(
            source, Options(base=Path("nowhere"), allow_private=True, **options)
        )
    )


def program(tmp_path, monkeypatch, code):
    """A gallery-dl of our own in its stead."""
    path = tmp_path / "program.py"
    path.write_text(f"import os, sys, time\n{code}")
    monkeypatch.setattr(gallery_dl, "program", lambda: [sys.executable, str(path)])


def test_a_post_is_a_record_with_all_that_is_said_of_it():
    with Booru([post(7)]) as booru:
        [record] = records(booru.source)
        url = f"http://127.0.0.1:{booru.port}/good/7.png"
    assert (record.url, record.at.uri, record.file, record.root) == (url, url, "7.png", "gallery:")
    assert (record.artist, record.rating, record.tags[:2]) == (
        "mei_(artist)",
        "s",
        ("mei_(artist)", "original"),
    )
    extra = json.loads(record.extra)
    assert (extra["source"], extra["score"]) == ("https://pages.example/7", 7)
    assert not [name for name in extra if name.startswith("_")]


def test_all_pages_are_listed_in_order():
    with Booru([post(number) for number in range(450, 0, -1)]) as booru:
        assert [r.file for r in records(booru.source)] == [f"{number}.png" for number in range(450, 0, -1)]


def test_a_picture_listed_twice_is_one_record():
    with Booru([post(2), post(1, file_url="/good/2.png")]) as booru:
        assert [r.file for r in records(booru.source)] == ["2.png"]


def test_what_is_no_picture_is_a_row_that_says_so():
    with Booru(
        [post(3, file_url="/3.mp4"), post(2, file_url="/2.zip"), post(1, file_url="ftp://a.example/1.png")]
    ) as booru:
        listing = records(booru.source)
    assert [(r.error, r.at) for r in listing] == [
        ("not_an_image", None),
        ("not_an_image", None),
        ("bad_url", None),
    ]
    assert "video (.mp4)" in listing[0].message


@pytest.mark.parametrize(
    ("status", "body"), [(500, b"no"), (200, b"<html>garbage"), (429, b""), (404, b"{}")]
)
def test_a_listing_that_breaks_off_keeps_what_came_and_a_row_stands_for_the_rest(status, body):
    posts = [post(number) for number in range(450, 0, -1)]
    with Booru(posts, lambda page: (status, body) if page >= 2 else None) as booru:
        listing = records(booru.source)
    assert [r.error for r in listing] == [*[None] * 200, "listing_failed"]
    assert "broke off after 200, the same command lists again: " in listing[-1].message
    assert (str(status) if status != 200 else "JSON") in listing[-1].message
    assert listing[-1].at is None


@pytest.mark.parametrize(("status", "body"), [(500, b"no"), (200, b"<html>garbage"), (403, b"{}")])
def test_a_gallery_of_which_nothing_is_listed_is_a_typed_error(status, body):
    with Booru([], lambda _: (status, body)) as booru:
        with pytest.raises(
            SourceError,
            match=r"Check the URL, then run the same command again|put yours into gallery-dl's own config",
        ):
            records(booru.source)


def test_a_refused_connection_is_a_typed_error():
    with Booru([]) as booru:
        source = booru.source
    with pytest.raises(SourceError, match="run the same command again"):
        records(source)


def test_an_empty_gallery_is_a_typed_error():
    with Booru([]) as booru:
        with pytest.raises(SourceError, match="nothing is listed there"):
            records(booru.source)


def test_a_site_that_gallery_dl_doesnt_know_is_a_typed_error():
    with pytest.raises(SourceError, match=r"knows no such gallery. Type"):
        records("gallery:http://127.0.0.1:1/x.unknown")


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "nothing",
        "--help",
        "file:///etc/passwd",
        "recursive:http://a.example/",
        "oauth:pixiv",
        "http://",
        "r:https://a",
    ],
)
def test_what_is_no_gallerys_url_never_reaches_gallery_dl(rest, monkeypatch):
    monkeypatch.setattr(gallery_dl, "program", lambda: pytest.fail("it was started"))
    with pytest.raises(SourceError, match="Type"):
        records(f"gallery:{rest}")


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:10.0.0.1]", "169.254.169.254", "localhost"])
def test_a_gallery_in_a_private_network_is_asked_only_when_allowed(host, monkeypatch):
    monkeypatch.setattr(gallery_dl, "program", lambda: pytest.fail("it was started"))
    with pytest.raises(SourceError, match="--allow-private"):
        list(
            registry.load("sources", "gallery").records(
                f"gallery:Danbooru:http://{host}:1/posts", Options(base=Path("nowhere"))
            )
        )


def test_without_gallery_dl_the_command_that_mends_it_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingExtra, match=r"pip install 'anidata\[web\]'"):
        records("gallery:https://a.example/")


def test_a_gallery_dl_on_the_path_will_do(monkeypatch, tmp_path):
    (tmp_path / "gallery-dl").write_text("#!/bin/sh\n")
    (tmp_path / "gallery-dl").chmod(0o755)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gallery_dl.program() == [str(tmp_path / "gallery-dl")]


def test_credentials_in_its_config_are_used_and_reach_no_record(home):
    settings(home, Danbooru={"username": "mei", "password": SECRET, "api-key": SECRET})
    hostile = post(
        1,
        api_key=SECRET,
        user={"name": "mei", "password": SECRET},
        source=f"https://mei:{SECRET}@a.example/?api_key={SECRET}&x=1",
    )
    with Booru([hostile, post(2, file_url=f"/good/2.png?login=mei&api_key={SECRET}&v=2")]) as booru:
        listing = records(booru.source)
    assert len(listing) == 2
    assert SECRET not in repr(listing)
    assert listing[1].url.endswith("/good/2.png?v=2")


def test_credentials_reach_no_error(tmp_path, monkeypatch):
    program(
        tmp_path,
        monkeypatch,
        f"sys.stderr.write('error: 403 for https://a:{SECRET}@b.example/?api_key={SECRET}&x=1'); sys.exit(4)",
    )
    with pytest.raises(SourceError, match=r"https://b.example/\?api_key=\*\*\*&x=1") as caught:
        records("gallery:https://a.example/")
    assert SECRET not in str(caught.value)


def test_credentials_in_a_gallerys_url_are_refused_and_not_repeated():
    for url in (
        f"https://mei:{SECRET}@a.example/",
        f"Danbooru:https://mei:{SECRET}@a.example/",
        f"https://a.example/?api_key={SECRET}",
    ):
        with pytest.raises(SourceError, match="gallery-dl's own config") as caught:
            records(f"gallery:{url}")
        assert SECRET not in str(caught.value)


def test_credentials_in_a_gallerys_url_are_not_even_remembered(tmp_path, command, inline):
    with pytest.raises(SourceError, match="gallery-dl's own config"):
        command("ingest", tmp_path / "work", f"gallery:https://mei:{SECRET}@a.example/")
    assert not [
        path for path in tmp_path.rglob("*") if path.is_file() and SECRET in path.read_text(errors="replace")
    ]


def test_what_else_its_config_would_start_is_not_started(home, tmp_path):
    mark, log = tmp_path / "started", tmp_path / "archive.db"
    settings(
        home,
        archive=str(log),
        postprocessors=[{"name": "exec", "event": "prepare", "command": f"touch {mark}"}, "metadata"],
    )
    with Booru([post(1)]) as booru:
        assert len(records(booru.source)) == len(records(booru.source)) == 1
        assert not any("/good/" in path for path in booru.asked)
    assert not mark.exists()
    assert not log.exists()


def test_a_login_that_is_asked_for_says_where_to_put_it(tmp_path, monkeypatch):
    program(tmp_path, monkeypatch, "sys.stderr.write('error: AuthRequired: cookies needed\\n'); sys.exit(16)")
    with pytest.raises(SourceError, match=r"cookies needed.*put yours into gallery-dl's own config"):
        records("gallery:https://a.example/")


@pytest.mark.parametrize(
    ("limit", "value", "code"),
    [
        ("IDLE", 0.5, "time.sleep(600)"),
        ("TOTAL", 0.5, "while True: sys.stderr.write('.'); sys.stderr.flush(); time.sleep(.01)"),
        ("MAX_OUTPUT", 10_000, "while True: sys.stdout.write('{}\\n' * 100); sys.stdout.flush()"),
        ("MAX_ROW", 10_000, "while True: sys.stdout.write('x' * 100); sys.stdout.flush()"),
    ],
)
def test_a_listing_without_end_is_ended_and_what_it_has_started_too(
    tmp_path, monkeypatch, limit, value, code
):
    child = (
        "import subprocess; p = subprocess.Popen(['sleep', '600']); "
        "open('{}', 'w').write(f'{{os.getpid()}} {{p.pid}}')\n"
    )
    row = 'sys.stdout.write(\'{"_url": "https://a.example/1.png"}\\n\'); sys.stdout.flush()\n'
    program(tmp_path, monkeypatch, child.format(tmp_path / "pids") + row + code)
    monkeypatch.setattr(gallery_dl, limit, value)
    listing = records("gallery:https://a.example/")
    assert (listing[0].error, listing[-1].error) == (None, "listing_failed")
    assert all(dies(int(pid)) for pid in (tmp_path / "pids").read_text().split())


def dies(pid):
    """Whether a process that was sent a SIGKILL is gone.

    The system takes a moment, for which we look again and again.
    """
    return any(not _alive(pid) or os.sched_yield() for _ in range(100_000))


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_reader_that_stops_ends_it(tmp_path, monkeypatch):
    row = (
        f"for n in range({pairing.WINDOW + 1}): "
        'print(\'{"_url": "https://a.example/%d.png"}\' % n, flush=True)\n'
    )
    program(
        tmp_path,
        monkeypatch,
        f"open('{tmp_path / 'pids'}', 'w').write(str(os.getpid()))\n{row}time.sleep(600)",
    )
    listing = registry.load("sources", "gallery").records(
        "gallery:https://a.example/", Options(base=tmp_path, allow_private=True)
    )
    assert next(listing).file == "0.png"
    listing.close()
    assert dies(int((tmp_path / "pids").read_text()))


@pytest.mark.parametrize("line", ["no json", "[1, 2]", "[" * 100_000, "\\xff"])
def test_what_is_no_row_ends_the_listing_with_a_reason(tmp_path, monkeypatch, line):
    program(tmp_path, monkeypatch, f'print(\'{{"_url": "https://a.example/1.png"}}\'); print({line!r})')
    assert [r.error for r in records("gallery:https://a.example/")] == [None, "listing_failed"]


def test_a_gallery_within_that_cant_be_read_is_a_row(home):
    settings(home, Danbooru={"external": True})
    unread = post(1, source="https://unknown.example/picture")
    del unread["file_url"]
    with Booru([post(2), unread]) as booru:
        listing = records(booru.source)
    assert [(r.file, r.error) for r in listing] == [("2.png", None), ("picture", "unread_gallery")]


def test_galleries_in_a_gallery_are_listed_each_once(home):
    with Booru([post(2), post(1)]) as booru:
        settings(
            home,
            Danbooru={
                "mine": {"root": f"http://127.0.0.1:{booru.port}", "pattern": rf"127\.0\.0\.1:{booru.port}"}
            },
        )
        booru.artists = [{"id": 1, "name": "mei"}, {"id": 2, "name": "mei"}]
        listing = records(f"gallery:http://127.0.0.1:{booru.port}/artists?search[any_name_matches]=mei")
        assert sum("/posts.json" in path for path in booru.asked) == 1
    assert [r.file for r in listing] == ["2.png", "1.png"]


def test_ctrl_c_ends_it_and_what_it_has_started(tmp_path):
    package = tmp_path / "fake" / "gallery_dl"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    os.mkfifo(tmp_path / "pid")
    (package / "__main__.py").write_text(
        f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)\n"
    )
    words = ["ingest", str(tmp_path / "work"), "gallery:https://a.example/", "--allow-private"]
    paths = os.pathsep.join([str(package.parent), *filter(None, sys.path)])
    with subprocess.Popen(
        [sys.executable, "-m", "anidata", *words],
        env=os.environ | {"PYTHONPATH": paths},
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        pid = int((tmp_path / "pid").read_text())  # waits until it is there
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=60)
    assert run.returncode == 130, said
    assert dies(pid)


def test_licenses_and_names_of_mediawiki_are_found(tmp_path, monkeypatch):
    metadata = {
        "LicenseShortName": {"value": "CC BY-SA 4.0"},
        "Artist": {"value": "<a href='x'>Mei</a>"},
        "ImageDescription": {"value": "A <b>cat</b>"},
    }
    row = {"_url": "https://a.example/1.png", "extmetadata": metadata, "user": "uploader"}
    program(tmp_path, monkeypatch, f"print({json.dumps(row)!r})")
    [record] = records("gallery:https://a.example/")
    assert (record.license, record.artist, record.caption) == ("CC BY-SA 4.0", "Mei", "A cat")
    assert json.loads(record.extra)["uploader"] == "uploader"


def test_pictures_are_fetched_and_a_second_run_asks_only_for_new_ones(tmp_path, command, inline):
    work = tmp_path / "work"
    with Booru([post(2), post(1)]) as booru:
        words = ["ingest", work, booru.source, "--allow-private", "--set", "ingest.fetch.rate=0", "--json"]
        assert command(*words)["funnel"]["found"] == 2
        booru.posts = [post(3), *booru.posts]
        funnel = command(*words)["funnel"]
        asked = [path for path in booru.asked if path.startswith("/good/")]
    assert (funnel["found"], funnel["failed"]) == (3, {})
    assert sorted(asked) == ["/good/1.png", "/good/2.png", "/good/3.png"]
    rows = json.loads(
        command("query", work, "SELECT DISTINCT source, artist, rating FROM records", "--format", "json")
    )
    assert rows == [{"source": "gallery", "artist": "mei_(artist)", "rating": "s"}]


def test_a_run_that_breaks_off_goes_on_with_the_next(tmp_path, command, inline):
    posts = [post(number) for number in range(201, 0, -1)]
    with Booru(posts, lambda page: (500, b"") if page >= 2 else None) as booru:
        words = [
            "ingest",
            tmp_path / "work",
            booru.source,
            "--allow-private",
            "--set",
            "ingest.fetch.rate=0",
            "--json",
        ]
        assert command(*words)["funnel"]["failed"] == {"listing_failed": 1}
        booru.broken = lambda _: None
        command(*words)
        assert command(*words)["funnel"] | {"found": 201, "failed": {}} == command(*words)["funnel"]
        assert codes(command, tmp_path) == {None: 201}


def codes(command, tmp_path):
    rows = json.loads(
        command(
            "query",
            tmp_path / "work",
            "SELECT error, count(*) AS n FROM records GROUP BY ALL",
            "--format",
            "json",
        )
    )
    return {row["error"]: row["n"] for row in rows}


def test_a_listing_that_broke_off_is_settled_by_a_whole_one_and_open_again_when_it_breaks_off_again(
    tmp_path, command, inline
):
    posts = [post(number) for number in range(201, 0, -1)]
    broken = lambda page: (500, b"") if page >= 2 else None  # noqa: E731
    with Booru(posts, broken) as booru:
        words = ["ingest", tmp_path / "work", booru.source, "--allow-private", "--set", "ingest.fetch.rate=0"]
        for wanted in (
            {None: 200, "listing_failed": 1},
            {None: 200, "listing_failed": 1},
            {None: 201},
            {None: 201, "listing_failed": 1},
        ):
            booru.broken = broken if "listing_failed" in wanted else lambda _: None
            booru.asked.clear()
            command(*words)
            assert codes(command, tmp_path) == wanted
        booru.broken = lambda _: None
        booru.asked.clear()
        command(*words, "--limit", 201)  # none that looks at all
        assert codes(command, tmp_path) == {None: 201, "listing_failed": 1}
        command(*words)
    assert codes(command, tmp_path) == {None: 201}
    status = command("status", tmp_path / "work")
    assert "listing_failed" not in status


@given(
    st.text(),
    st.sampled_from(["password", "api_key", "Api-Key", "_http_headers", "cookies"]),
    st.text(min_size=1),
)
def test_whatever_goes_by_a_secret_name_is_gone_on_every_level(name, secret, value):
    marked = f"\u2620{value}\u2620"
    assert marked not in repr(
        secrets.without_secrets({f"x{name}": [{secret: marked}, {"a": {secret: [marked]}}], secret: marked})
    )


@given(st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True), st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True))
def test_credentials_of_a_url_are_gone(user, password):
    url = f"https://{user}x:Q{password}@a.example/p?a=1&password=Q{password}&b=2"
    assert secrets.url_without_secrets(url) == "https://a.example/p?a=1&b=2"
    assert f"Q{password}" not in secrets.scrubbed(f"error for '{url}'")


# --- pairs --------------------------------------------------------------------------------------------------


def pairs_of(listing):
    """File names of colors and of their lineart."""
    return [(record.file, record.line and record.line.uri.rpartition("/")[2]) for record in listing]


def named(*files):
    return [post(100 - n, file_url=f"/good/{file}") for n, file in enumerate(files)]


def test_names_by_two_patterns_are_pairs_in_whatever_order_they_are_listed():
    with Booru(
        named("1_line.png", "1_color.png", "2.png", "3_color.png", "3_line.png", "2_line.png", "4_line.png")
    ) as booru:
        assert pairs_of(records(booru.source)) == [
            ("1_color.png", "1_line.png"),
            ("2.png", "2_line.png"),
            ("3_color.png", "3_line.png"),
            ("4_line.png", None),
        ]


def test_the_patterns_can_be_chosen_or_switched_off():
    with Booru(named("sketch-1.png", "final-1.png", "2_line.png", "2.png")) as booru:
        listing = records(booru.source, lines="sketch-*.png", colors="final-*.png")
        assert pairs_of(listing) == [("final-1.png", "sketch-1.png"), ("2_line.png", None), ("2.png", None)]
        assert [line for _, line in pairs_of(records(booru.source, lines=""))] == [None] * 4


def test_a_name_that_only_the_site_knows_makes_pairs_too(tmp_path, monkeypatch):
    rows = [
        {"_url": f"https://a.example/{n}.png", "filename": name, "extension": "png"}
        for n, name in enumerate(("x_color", "x_line"))
    ]
    program(tmp_path, monkeypatch, f"print('\\n'.join({[json.dumps(row) for row in rows]!r}))")
    assert pairs_of(records("gallery:https://a.example/")) == [("0.png", "1.png")]


def test_what_lies_further_apart_than_the_window_is_no_pair_and_nothing_is_lost(monkeypatch):
    monkeypatch.setattr(pairing, "WINDOW", 3)
    with Booru(
        named(
            "1_color.png",
            "2.png",
            "3.png",
            "1_line.png",
            "4_color.png",
            "5.png",
            "6.png",
            "7.png",
            "4_line.png",
        )
    ) as booru:
        pairs = pairs_of(records(booru.source))
    assert pairs[0] == ("1_color.png", "1_line.png")
    assert ("4_color.png", None) in pairs
    assert ("4_line.png", None) in pairs


NAMES = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["_line", "_color", ""])), max_size=8)


@given(NAMES, st.integers(1, 9))
def test_every_record_of_a_stream_is_there_once_alone_or_as_a_line(names, window):
    files = [f"{stem}{end}.png" for stem, end in names]
    named = [
        (file, Record(root="r", name=str(n), file=file, at=Reference(f"http://a.example/{n}")))
        for n, file in enumerate(files)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairing, "WINDOW", window)
        given = list(pairing.paired(named, Options(base=Path("nowhere"))))
    places = [record.at.uri for record in given] + [record.line.uri for record in given if record.line]
    assert sorted(places) == sorted(record.at.uri for _, record in named)
    stems = {record.at.uri: file.partition(".")[0].partition("_") for file, record in named}
    for record in given:
        if record.line:
            assert stems[record.line.uri] == (stems[record.at.uri][0], "_", "line")
    if window >= len(files):  # then none is left that has a mate
        alone = [stems[record.at.uri] for record in given if not record.line]
        assert not {stem for stem, _, end in alone if end == "line"} & {
            stem for stem, _, end in alone if end == "color"
        }


def test_a_gallerys_pairs_are_fetched_and_are_a_style(tmp_path, command, inline):
    with Booru(named("1_color.png", "1_line.png", "2_color.png", "3_line.png")) as booru:
        command("ingest", tmp_path / "work", booru.source, "--allow-private", "--set", "ingest.fetch.rate=0")
    rows = json.loads(
        command(
            "query",
            tmp_path / "work",
            "SELECT file, line_key = key AS same FROM records ORDER BY file",
            "--format",
            "json",
        )
    )
    assert rows == [
        {"file": "1_color.png", "same": True},
        {"file": "2_color.png", "same": None},
        {"file": "3_line.png", "same": None},
    ]


# --- Referer ------------------------------------------------------------------------------------------------


def test_pictures_that_a_host_gives_to_those_alone_who_come_from_the_gallery_are_fetched(
    tmp_path, command, inline
):
    with Booru([post(2, file_url="/fenced/2.png"), post(1, file_url="/fenced/1.png")]) as booru:
        booru.fence = f"http://127.0.0.1:{booru.port}/"
        words = [
            "ingest",
            tmp_path / "work",
            booru.source,
            "--allow-private",
            "--set",
            "ingest.fetch.rate=0",
            "--json",
        ]
        assert command(*words)["funnel"]["failed"] == {}
        (tmp_path / "list.txt").write_text(f"http://127.0.0.1:{booru.port}/fenced/3.png")
        assert command(*words[:2], f"urls:{tmp_path / 'list.txt'}", *words[3:])["funnel"]["failed"] == {
            "http_403": 1
        }


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({"Referer": "https://b.example/art?page=2#top"}, "https://b.example/art?page=2"),
        (
            {"referer": "https://b.example/", "Cookie": f"id={SECRET}", "Authorization": SECRET},
            "https://b.example/",
        ),
        ({"Referer": None}, None),
        ({"Referer": f"https://b.example/?token={SECRET}"}, None),
        ({"Referer": f"https://mei:{SECRET}@b.example/"}, None),
        ({"Referer": "ftp://b.example/"}, None),
        ({"Referer": 7}, None),
        ({"Cookie": SECRET}, "https://a.example/"),
        (None, "https://a.example/"),
        ([], "https://a.example/"),
    ],
)
def test_the_referer_is_what_gallery_dl_says_or_the_gallerys_site_and_never_holds_credentials(
    tmp_path, monkeypatch, headers, wanted
):
    row = {"_url": "https://i.example/1.png", "_http_headers": headers}
    program(tmp_path, monkeypatch, f"print({json.dumps(row)!r})")
    [record] = records("gallery:https://a.example/art/7?page=1")
    assert record.referer == wanted
    assert SECRET not in repr(record)


def test_a_linearts_referer_is_its_own(tmp_path, monkeypatch):
    rows = [
        {"_url": f"https://i.example/{name}.png", "_http_headers": {"Referer": f"https://a.example/{name}"}}
        for name in ("1", "1_line")
    ]
    program(tmp_path, monkeypatch, f"print('\\n'.join({[json.dumps(row) for row in rows]!r}))")
    [record] = records("gallery:https://a.example/")
    assert (record.referer, record.line_referer) == ("https://a.example/1", "https://a.example/1_line")
