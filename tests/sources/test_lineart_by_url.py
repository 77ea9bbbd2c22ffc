"""True pairs from the web.

The artist's own lineart, whose URL stands beside its color's, is fetched by the same rules and checked.
"""

import csv
import re

import cv2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anidata import registry
from anidata.catalog import schemas
from anidata.errors import SourceError
from anidata.sources import Options
from anidata.stages.ingest import requests
from anidata.storage import Reference
from drawings import drawing
from resume_lab import SET, answers, kept, lanes_apart, pictures
from web_lab import Web, breaking_off, page, seed_of

SIDE = 192


def color(seed):
    return bytes(cv2.imencode(".png", drawing(seed, SIDE, SIDE)[..., ::-1])[1])


def lines(seed):
    gray = cv2.cvtColor(drawing(seed, SIDE, SIDE), cv2.COLOR_RGB2GRAY)
    return bytes(cv2.imencode(".png", 255 - (cv2.Canny(gray, 60, 120) > 0).astype("uint8") * 255)[1])


@pytest.fixture
def web():
    with Web("127.0.0.1") as web:
        dress(web)
        yield web


def dress(web):
    """Answer color/N and lines/N with a pair."""
    for name, make in (("color", color), ("lines", lines)):
        web.ways[name] = lambda client, asked, make=make: client.answer(
            make(seed_of(asked)), ETag=f'"{asked.path}"'
        )


def table(tmp_path, rows):
    """A list of pairs: their color's URL, and their lineart's."""
    path = tmp_path / "pairs.csv"
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([("url", "artist", "drawn"), *((at, "mei", line) for at, line in rows)])
    return f"urls:{path}"


def ingest(command, tmp_path, source, *words):
    return command("ingest", tmp_path / "work", source, "--line-column", "drawn", *SET, *words, "--json")


def linework(command, tmp_path):
    """Status and code of each picture, whether its lineart is taken, and the lineart's code."""
    rows = answers(
        command,
        tmp_path / "work",
        "SELECT status, error, line_key IS NOT NULL AS lined, line_error FROM records ORDER BY url",
    )
    return [tuple(row.values()) for row in rows]


def test_two_columns_of_urls_give_pairs_that_are_a_style(web, tmp_path, command, inline):
    source = table(tmp_path, [(web.url(f"color/{n}"), web.url(f"lines/{n}")) for n in range(3)])
    assert ingest(command, tmp_path, source)["funnel"]["found"] == 3
    assert linework(command, tmp_path) == [("ok", None, True, None)] * 3
    done = command(
        "extract-lineart", tmp_path / "work", "--style", "artist", "--set", "clean.min_side=1", "--json"
    )["done"]
    assert (done["artist"], done["color"]) == (3, 3)
    rows = answers(
        command,
        tmp_path / "work",
        "SELECT record, line FROM fetches JOIN records USING (record) ORDER BY fetches.url",
    )
    assert [row["line"] for row in rows] == [False] * 3 + [True] * 3
    assert web.log.paths()[0] == "/robots.txt"


def test_lineart_of_another_picture_is_not_taken_and_the_row_says_so(web, tmp_path, command, inline):
    ingest(command, tmp_path, table(tmp_path, [(web.url("color/1"), web.url("lines/2"))]))
    assert linework(command, tmp_path) == [("ok", None, False, "unregistered")]


def test_lineart_that_cant_be_had_has_its_code_beside_a_color_that_stays(web, tmp_path, command, inline):
    web.ways["noai"] = page(lines(3), X_Robots_Tag="noai")
    web.pages["/robots.txt"] = page(b"User-agent: *\nDisallow: /private/")
    web.ways["large"] = page(color(1) + bytes(1 << 20))
    ways = ["gone/0", "html/1", "noai/3", "private/4", "large/5"]
    rows = [(web.url(f"color/{n}"), web.url(way)) for n, way in enumerate(ways)]
    rows += [
        (web.url("color/5"), web.url("reset/5")),
        (web.url("color/6"), "ftp://a.example/6"),
        (web.url("color/7"), ""),
    ]
    done = ingest(command, tmp_path, table(tmp_path, rows), "--set", "ingest.max_bytes=1_000_000")
    assert done["funnel"]["failed"] == {}
    codes = ["http_404", "not_an_image", "noai", "robots", "too_large", "reset", "bad_url", None]
    assert linework(command, tmp_path) == [("ok", None, False, code) for code in codes]
    fetches = answers(command, tmp_path / "work", "SELECT error FROM fetches WHERE line ORDER BY url")
    assert {row["error"] for row in fetches} == set(codes) - {"bad_url", None}


def test_a_lineart_in_a_private_network_is_refused_like_any_other_url(web, tmp_path, command, inline):
    source = table(tmp_path, [(web.url("gone/1"), web.url("lines/1"))])
    command("ingest", tmp_path / "work", source, "--line-column", "drawn")
    fetches = answers(command, tmp_path / "work", "SELECT error FROM fetches")
    assert fetches == [{"error": "private_address"}] * 2
    assert web.log.asked == []


def test_lineart_on_another_workers_host_is_fetched_too(tmp_path, command, inline):
    first, second = lanes_apart()
    with Web(first, second) as web:
        dress(web)
        rows = [
            (web.url("color/1", first), web.url("lines/1", second)),
            (web.url("color/2", second), web.url("lines/2", first)),
        ]
        ingest(command, tmp_path, table(tmp_path, rows), "--workers", 2)
    assert linework(command, tmp_path) == [("ok", None, True, None)] * 2
    assert not list((tmp_path / "work" / "fetched").glob("*.journal"))


def test_a_retry_asks_for_the_lineart_that_failed_and_not_for_its_color(web, tmp_path, command, inline):
    source = table(
        tmp_path, [(web.url("color/1"), web.url("lines/1")), (web.url("color/2"), web.url("lines/2"))]
    )
    web.pages["/lines/1"] = web.ways["gone"]
    ingest(command, tmp_path, source)
    assert [row[3] for row in linework(command, tmp_path)] == ["http_404", None]
    pictures(web)
    command("ingest", tmp_path / "work")
    assert web.log.asked == []
    del web.pages["/lines/1"]
    command("ingest", tmp_path / "work", "--retry", "http_404")
    assert pictures(web) == ["/lines/1"]
    assert linework(command, tmp_path) == [("ok", None, True, None)] * 2


def test_a_color_that_failed_is_asked_for_again_and_its_lineart_that_came_is_not(
    web, tmp_path, command, inline
):
    web.pages["/color/1"] = web.ways["gone"]
    ingest(command, tmp_path, table(tmp_path, [(web.url("color/1"), web.url("lines/1"))]))
    assert linework(command, tmp_path) == [("failed", "http_404", False, None)]
    pictures(web)
    del web.pages["/color/1"]
    command("ingest", tmp_path / "work", "--retry", "failed")
    assert pictures(web) == ["/color/1"]
    assert linework(command, tmp_path) == [("ok", None, True, None)]


def test_a_lineart_that_may_pass_is_asked_for_again_by_the_next_runs_alone(web, tmp_path, command, inline):
    web.pages["/lines/1"] = web.pages["/lines/2"] = web.ways["stall"]
    web.pages["/color/2"] = web.ways["gone"]
    source = table(tmp_path, [(web.url(f"color/{n}"), web.url(f"lines/{n}")) for n in (1, 2)])
    ingest(command, tmp_path, source, "--set", "ingest.fetch.idle_time=0.2")
    pictures(web)
    del web.pages["/lines/1"]
    ingest(command, tmp_path, source)
    assert pictures(web) == ["/lines/1"]
    assert linework(command, tmp_path) == [("ok", None, True, None), ("failed", "http_404", False, "stalled")]
    ingest(command, tmp_path, source)
    assert web.log.asked == []


def test_refresh_asks_for_what_has_changed_of_both(web, tmp_path, command, inline):
    source = table(tmp_path, [(web.url("color/1"), web.url("lines/1"))])
    for name in ("color", "lines"):
        web.pages[f"/{name}/1"] = conditional(web.ways[name], f'"/{name}/1"')
    ingest(command, tmp_path, source)
    ingest(command, tmp_path, source, "--refresh")
    assert (
        answers(command, tmp_path / "work", "SELECT http FROM fetches WHERE generation = 1")
        == [{"http": 304}] * 2
    )
    assert linework(command, tmp_path) == [("ok", None, True, None)]
    moved = table(tmp_path, [(web.url("color/1"), web.url("lines/9"))])
    web.log.asked.clear()
    ingest(command, tmp_path, moved, "--refresh")
    assert ["if-none-match" in asked.headers for asked in web.log.asked if asked.path == "/lines/9"] == [
        False
    ]
    assert [row[3] for row in linework(command, tmp_path)] == ["unregistered"]


def conditional(way, etag):
    async def answer(client, asked):
        if asked.headers.get("if-none-match") == etag:
            await client.send(f"HTTP/1.1 304 Not Modified\r\nETag: {etag}\r\n\r\n".encode())
        else:
            await way(client, asked)

    return answer


def test_a_fetch_broken_off_between_color_and_lineart_asks_for_nothing_twice(
    web, tmp_path, command, inline, monkeypatch
):
    source = table(tmp_path, [(web.url(f"color/{n}"), web.url(f"lines/{n}")) for n in range(8)])
    with breaking_off(monkeypatch, 5):
        ingest(command, tmp_path, source, "--set=ingest.fetch.concurrency=1")
    asked = pictures(web)
    command("ingest", tmp_path / "work")
    assert len(set(asked) & set(pictures(web))) <= 2  # in flight
    assert linework(command, tmp_path) == [("ok", None, True, None)] * 8
    command("ingest", tmp_path / "again", source, "--line-column", "drawn", *SET)
    assert kept(tmp_path / "work") == kept(tmp_path / "again")


def test_a_column_of_lineart_that_isnt_there_is_told(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("url,size\nhttp://a.example/1.png,1\n")
    with pytest.raises(
        SourceError, match=re.escape("no column 'drawn'. Type --line-column with one of: url, size")
    ):
        list(
            registry.load("sources", "urls").records(
                f"urls:{path}", Options(base=tmp_path, line_column="drawn")
            )
        )


def test_credentials_in_a_linearts_url_reach_no_record(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("url,drawn\nhttp://a.example/1.png,http://mei:secret@a.example/2.png\n")
    [record] = registry.load("sources", "urls").records(
        f"urls:{path}", Options(base=tmp_path, line_column="drawn")
    )
    assert record.line == Reference("http://a.example/2.png")
    assert "secret" not in repr(record)


PLACES = st.sampled_from([None, "blobs/a.tar", "file:///a.png", "http://a.example/1", "https://b.example/2"])


@given(PLACES, PLACES, st.booleans(), st.booleans())
def test_what_came_is_never_asked_for_again_and_what_is_wanted_always_is(at, line, wants_at, wants_line):
    """Against a table of all cases, written down by hand.

    A URL is asked for unless bytes of it are there and it isn't wanted.
    """
    empty = dict.fromkeys([field.name for field in schemas.SIGHTINGS])
    row = empty | {"record": "a", "generation": 1, "at_uri": at, "line_uri": line}
    came = {name: {"at_uri": f"blobs/{name}.tar", "at_offset": 512, "at_size": 9} for name in ("a", "a.line")}
    wanted = {name for name, is_wanted in (("a", wants_at), ("a.line", wants_line)) if is_wanted}
    names = {one["record"] for one in requests.asked([row])}
    again = {one["record"] for one in requests.asked([requests.missing(dict(row), wanted, came)])}
    assert names == {name for name, uri in (("a", at), ("a.line", line)) if (uri or "").startswith("http")}
    assert again == names & wanted
