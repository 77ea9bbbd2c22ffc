"""A fetch that was killed asks again only for what was in flight.

A later one asks only for what is missing, has failed, or may have changed.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from resume_lab import SET, answers, kept, lanes_apart, listed, pictures
from web_lab import Web, breaking_off, page, picture


@pytest.fixture
def web():
    with Web("127.0.0.1") as web:
        yield web


# --- killed ---------------------------------------------------------------------------------------


def killed_after(requests, web, words):
    """Run a command and kill its main process, and it alone, after so many requests for pictures."""
    reached, counted = threading.Event(), []
    good = web.ways["good"]

    async def counting(client, asked):
        counted.append(asked)
        if len(counted) >= requests:
            reached.set()
        await good(client, asked)

    web.ways["good"] = counting
    process = subprocess.Popen(
        [sys.executable, "-m", "anidata", *map(str, words)], env={**os.environ, "ANIDATA_QUIET": "1"}
    )
    assert reached.wait(60)
    process.kill()
    assert process.wait(60) == -signal.SIGKILL
    web.ways["good"] = good


@pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere workers outlive a killed main process for a while"
)
def test_a_fetch_killed_in_its_middle_loses_no_url_and_asks_again_only_for_what_was_in_flight(
    web, tmp_path, command
):
    source = listed(tmp_path, [web.url(f"good/{n}") for n in range(300)])
    work, at_once = tmp_path / "work", 4
    words = ["ingest", work, source, *SET, "--set", f"ingest.fetch.concurrency={at_once}", "--workers", 1]
    killed_after(150, web, words)
    assert not list((work / "records").glob("*.parquet"))
    command(*words)
    asked = pictures(web)
    assert set(asked) == {f"/good/{n}" for n in range(300)}
    assert len(asked) - 300 <= at_once
    assert answers(command, work, "SELECT status, count(*) AS n FROM records GROUP BY ALL") == [
        {"status": "ok", "n": 300}
    ]
    web.log.asked.clear()
    command("ingest", tmp_path / "undisturbed", source, *SET)
    assert kept(work) == kept(tmp_path / "undisturbed")


def test_a_fetch_whose_code_fails_in_its_middle_is_gone_on_with(web, tmp_path, command, inline, monkeypatch):
    source, work = listed(tmp_path, [web.url(f"good/{n}") for n in range(40)]), tmp_path / "work"
    with breaking_off(monkeypatch, 5):
        command("ingest", work, source, *SET, "--set=ingest.fetch.concurrency=1")
    web.log.asked.clear()
    command("ingest", work, source)
    assert pictures(web) == sorted(f"/good/{n}" for n in range(5, 40))
    assert answers(command, work, "SELECT count(*) AS n FROM records WHERE status = 'ok'") == [{"n": 40}]


def test_a_journal_left_behind_though_its_part_is_published_is_deleted(web, tmp_path, command, inline):
    work, source = tmp_path / "work", listed(tmp_path, [web.url("good/1")])
    command("ingest", work, source, *SET)
    (work / "fetched/part-00000-00000.journal").write_bytes(b"left")
    command("ingest", work, source)
    assert not list((work / "fetched").glob("*.journal"))
    assert web.log.count("/good/1") == 1


# --- again ----------------------------------------------------------------------------------------


def test_a_second_run_asks_for_nothing_and_a_longer_list_for_what_is_new(web, tmp_path, command, inline):
    work, urls = tmp_path / "work", [web.url(f"good/{n}") for n in range(6)]
    command("ingest", work, listed(tmp_path, urls[:4]), *SET)
    assert len(pictures(web)) == 4
    command("ingest", work, listed(tmp_path, urls[:4]))
    assert web.log.asked == []
    command("ingest", work, listed(tmp_path, urls[::-1]))
    assert pictures(web) == ["/good/4", "/good/5"]


def test_retry_asks_again_for_what_failed_or_for_one_code_alone(web, tmp_path, command, inline):
    work = tmp_path / "work"
    command(
        "ingest", work, listed(tmp_path, [web.url(path) for path in ("good/1", "html/2", "gone/3")]), *SET
    )
    web.log.asked.clear()
    command("ingest", work)
    assert web.log.asked == []
    command("ingest", work, "--retry", "not_an_image")
    assert pictures(web) == ["/html/2"]
    web.ways["gone"] = web.ways["html"] = web.ways["good"]
    command("ingest", work, "--retry", "failed")
    assert pictures(web) == ["/gone/3", "/html/2"]
    assert answers(
        command, work, "SELECT count(*) AS n, count(DISTINCT key) AS keys FROM records WHERE status = 'ok'"
    ) == [{"n": 3, "keys": 3}]
    command("ingest", work, "--retry", "failed")
    assert web.log.asked == []


def test_what_may_pass_is_asked_for_again_by_two_further_runs_and_nothing_else_is(
    web, tmp_path, command, inline
):
    lasting = ["gone/1", "html/2", "loop/3", "bomb/4", "empty/5"]
    passing = ["stall/6", "down/7", "busy/8", "reset/9", "short/10"]
    source = listed(tmp_path, [web.url(path) for path in ("good/0", *lasting, *passing)])
    words = ["ingest", tmp_path / "work", source, *SET, "--set=ingest.fetch.idle_time=0.2"]
    command(*words)
    web.log.asked.clear()
    web.pages["/down/7"] = web.ways["good"]
    command(*words)
    assert set(pictures(web)) == {f"/{path}" for path in passing}
    web.pages["/busy/8"] = web.ways["gone"]
    command(*words)
    assert set(pictures(web)) == {f"/{path}" for path in passing} - {"/down/7"}
    command(*words)
    assert web.log.asked == []
    rows = answers(command, tmp_path / "work", "SELECT url, error FROM records WHERE error IS NOT NULL")
    assert {row["error"] for row in rows if row["url"] in [web.url(path) for path in passing]} == {
        "stalled",
        "http_404",
        "reset",
        "cut_short",
    }
    command("ingest", tmp_path / "work", "--retry", "reset")
    assert pictures(web) == ["/reset/9"]


def test_a_host_that_was_down_for_a_while_costs_no_picture(tmp_path, command, inline):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and doesn't listen
        port = closed.getsockname()[1]
        source = listed(tmp_path, [f"http://127.0.0.1:{port}/good/{n}" for n in range(30)])
        command("ingest", tmp_path / "work", source, *SET)
        rows = answers(command, tmp_path / "work", "SELECT DISTINCT error FROM records ORDER BY error")
        assert {row["error"] for row in rows} <= {"given_up", "refused"}
        with Web("127.0.0.1", bound=closed):
            command("ingest", tmp_path / "work")
    assert answers(command, tmp_path / "work", "SELECT count(*) AS n FROM records WHERE status = 'ok'") == [
        {"n": 30}
    ]


def test_refresh_asks_for_what_has_changed_and_keeps_the_bytes_of_what_hasnt(web, tmp_path, command, inline):
    work, source = tmp_path / "work", listed(tmp_path, [web.url(f"good/{n}") for n in range(3)])
    command("ingest", work, source, *SET)
    before = answers(command, work, "SELECT url, key FROM records ORDER BY url")
    web.log.asked.clear()
    web.pages["/good/1"] = page(picture(77), ETag='"new"')
    command("ingest", work, source, "--refresh")
    assert [asked.headers["if-none-match"] for asked in web.log.asked if asked.path == "/good/2"] == ['"2"']
    after = answers(command, work, "SELECT url, key FROM records ORDER BY url")
    assert [b["key"] == a["key"] for b, a in zip(before, after, strict=True)] == [True, False, True]
    assert answers(command, work, "SELECT url, http FROM fetches WHERE generation = 1 ORDER BY url") == [
        {"url": row["url"], "http": http} for row, http in zip(before, (304, 200, 304), strict=True)
    ]
    command("extract-lineart", work, "--set", "clean.min_side=1")


def test_refresh_of_a_host_that_is_down_keeps_what_was_there_and_of_one_that_withdraws_doesnt(
    web, tmp_path, command, inline
):
    work, source = tmp_path / "work", listed(tmp_path, [web.url(f"good/{n}") for n in range(3)])
    command("ingest", work, source, *SET)
    web.pages["/good/0"] = page(b"", "503 Service Unavailable")
    web.pages["/good/1"] = page(b"", "410 Gone")
    web.pages["/good/2"] = page(picture(2), X_Robots_Tag="noai")
    command("ingest", work, source, "--refresh")
    rows = answers(command, work, "SELECT status, error, message FROM records ORDER BY url")
    assert [(row["status"], row["error"]) for row in rows] == [
        ("ok", None),
        ("failed", "http_410"),
        ("failed", "noai"),
    ]
    assert rows[0]["message"] == "can't be asked again: the server says 503"


# --- lanes ----------------------------------------------------------------------------------------


def test_a_redirect_to_another_workers_host_is_followed_when_all_workers_are_done(tmp_path, command, inline):
    first, second = lanes_apart()
    with Web(first, second) as web:
        web.pages[f"{first}/hop"] = page(b"", "302 Found", Location=web.url("good/7", second))
        web.pages[f"{second}/hop"] = page(b"", "302 Found", Location=web.url("hop", first))
        pictures_of_both = [web.url("good/1", first), web.url("good/2", second)]
        source = listed(tmp_path, [web.url("hop", first), web.url("hop", second), *pictures_of_both])
        command("ingest", tmp_path / "work", source, *SET, "--workers", 2)
        sql = "SELECT url, final_url, redirects, error FROM fetches ORDER BY redirects, url"
        rows = answers(command, tmp_path / "work", sql)
    assert [(row["redirects"], row["error"]) for row in rows] == [(0, None), (0, None), (1, None), (2, None)]
    assert {row["final_url"] for row in rows[2:]} == {web.url("good/7", second)}
    assert not list(Path(tmp_path / "work" / "fetched").glob("*.journal"))


def test_what_is_recorded_does_not_depend_on_the_number_of_workers(tmp_path, command, inline):
    with Web(*(f"127.0.0.{n}" for n in range(1, 8))) as web:
        source = listed(
            tmp_path, [web.url(f"good/{n}", address) for n in range(20) for address in web.addresses]
        )
        for workers in (1, 3):
            command("ingest", tmp_path / str(workers), source, *SET, "--workers", workers)
    assert kept(tmp_path / "1") == kept(tmp_path / "3")
    one, three = ([p.read_bytes() for p in sorted((tmp_path / n / "images").iterdir())] for n in "13")
    assert one == three
    one, three = (
        [pq.read_table(p).drop_columns("at_offset") for p in sorted((tmp_path / n / "records").iterdir())]
        for n in "13"
    )
    assert one == three  # where in a blob the bytes lie is a matter of which answer came first
