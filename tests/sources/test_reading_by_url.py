"""Tars and lists by http: over checked addresses alone, hop by hop, and on from where a connection broke."""

import gzip
import io
import json
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anidata import fetch, registry
from anidata.errors import SourceError
from anidata.fetch import reading
from anidata.sources import Options
from anidata.storage import read
from web_lab import Web, page, picture

QUICK = {"backoff": 0.001, "idle_time": 5}


@pytest.fixture
def web():
    with Web("127.0.0.1", "127.0.0.2") as web:
        yield web


def tar(*seeds):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as file:
        for seed in seeds:
            info = tarfile.TarInfo(f"{seed}.png")
            info.size = len(picture(seed))
            file.addfile(info, io.BytesIO(picture(seed)))
    return buffer.getvalue()


def listed(kind, location, base, **options):
    return list(
        registry.load("sources", kind).records(f"{kind}:{location}", Options(base=base / "work", **options))
    )


def tars(url, base, **options):
    """Error codes of a tar's records."""
    return [record.error for record in listed("webdataset", url, base, **options)]


def content(url, lookup=reading.system_lookup, **settings):
    with reading.opened(url, fetch.Config(**QUICK | {"allow_private": True} | settings), lookup) as file:
        return file.read()


def code(url, *args, **settings):
    with pytest.raises(fetch.FetchError) as why:
        content(url, *args, **settings)
    return why.value.code


# --- where it may lead --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
)
def test_no_tar_and_no_list_of_this_machine_is_asked_for_unless_allowed(web, tmp_path, host):
    url = f"http://{host}:{web.port}/a.tar"
    assert tars(url, tmp_path)[0] in ("private_address", "unresolved")
    with pytest.raises(SourceError, match=r"--allow-private|no address"):
        listed("urls", url, tmp_path)
    assert web.log.asked == []


@pytest.mark.parametrize(
    "addresses", [["10.0.0.7"], ["93.184.216.34", "127.0.0.1"], ["::ffff:169.254.169.254"]]
)
def test_a_name_that_leads_to_a_private_address_isnt_asked(web, addresses):
    async def lookup(name):
        return addresses

    assert code(f"http://tars.example:{web.port}/a.tar", lookup, allow_private=False) == "private_address"
    assert web.log.asked == []


@pytest.mark.parametrize(
    "there",
    [
        "http://169.254.169.254/latest",
        "http://inside.example/x",
        "http://[::ffff:10.0.0.1]/",
        "//127.0.0.2/x",
    ],
)
def test_a_redirect_to_a_private_address_isnt_followed(web, there, monkeypatch):
    """The first hop is let through, as if it were public."""
    monkeypatch.setattr("anidata.fetch.addresses.is_public", lambda address: address == "127.0.0.1")
    web.pages["/hop"] = page(b"", "302 Found", Location=there)

    async def lookup(name):
        return ["10.0.0.7"]

    assert code(web.url("hop"), lookup, allow_private=False) == "private_address"
    assert web.log.paths() == ["/hop"]


def test_a_name_is_looked_up_once_whatever_it_answers_later(web):
    """The connection breaks, and is made anew to the address that was checked."""
    asked, body = [], tar(1, 2)

    async def lookup(name):
        asked.append(name)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    web.pages["tars.example/a.tar"] = breaking(body, 700)
    assert content(f"http://tars.example:{web.port}/a.tar", lookup) == body
    assert len(asked) == 1
    assert len(web.log.asked) == 2


def test_redirects_are_followed_up_to_five_and_to_http_alone(web, tmp_path):
    for n in range(6):
        web.pages[f"/{n}"] = page(b"", "302 Found", Location=f"/{n + 1}")
    web.pages["/6"] = page(tar(7))
    web.pages["/file"] = page(b"", "302 Found", Location="file:///etc/passwd")
    assert tars(web.url("1"), tmp_path, allow_private=True) == [None]
    assert tars(web.url("0"), tmp_path, allow_private=True) == ["redirects"]
    assert tars(web.url("loop/1"), tmp_path, allow_private=True) == ["redirects"]
    assert tars(web.url("file"), tmp_path, allow_private=True) == ["bad_redirect"]


@pytest.mark.parametrize("kind", ["urls", "webdataset"])
@pytest.mark.parametrize("chain", ["simplecache", "tar://a.png", "blockcache::filecache"])
def test_http_within_another_url_is_refused(web, tmp_path, kind, chain):
    with pytest.raises(SourceError, match="Type it alone"):
        listed(kind, f"{chain}::{web.url('a.tar')}", tmp_path, allow_private=True)
    assert web.log.asked == []


def test_we_say_who_we_are_and_send_no_cookie(web):
    web.pages["/a"] = page(b"", "302 Found", Location="/b", Set_Cookie="id=1")
    web.pages["/b"] = page(b"x")
    assert content(web.url("a")) == b"x"
    assert {asked.headers["user-agent"].partition("/")[0] for asked in web.log.asked} == {"anidata"}
    assert not any("cookie" in asked.headers for asked in web.log.asked)


# --- what comes ---------------------------------------------------------------------------------------------


def breaking(body, after, etag='"1"', then=None):
    """A way that breaks off after so many bytes the first time, and knows ranges then.

    `then`: the bytes that the file has become meanwhile.
    """
    asked = []

    async def answer(client, request):
        asked.append(request)
        if len(asked) == 1:
            head = (
                f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n"
                + (f"ETag: {etag}\r\n" if etag else "")
                + "\r\n"
            )
            await client.send(head.encode() + body[:after])
            client._writer.close()
        elif then is not None or "range" not in request.headers or request.headers.get("if-range") != etag:
            await client.answer(body if then is None else then, ETag='"2"')
        else:
            start = int(request.headers["range"].removeprefix("bytes=").rstrip("-"))
            content_range = f"bytes {start}-{len(body) - 1}/{len(body)}"
            await client.answer(body[start:], "206 Partial Content", Content_Range=content_range, ETag=etag)

    return answer


@pytest.mark.parametrize("after", [0, 1, 512, 900])
def test_a_tar_whose_connection_breaks_is_gone_on_with_from_what_had_come(web, tmp_path, after):
    body = tar(1, 2, 3)
    web.pages["/a.tar"] = breaking(body, after)
    records = listed("webdataset", web.url("a.tar"), tmp_path, allow_private=True)
    assert [read(record.at, tmp_path / "work", 1 << 20) for record in records] == [
        picture(1),
        picture(2),
        picture(3),
    ]
    first, second = (asked.headers.get("range") for asked in web.log.asked)
    assert first is None
    assert (
        int(second.removeprefix("bytes=").rstrip("-")) <= after
    )  # what came in one go with the end is asked for again


def test_a_large_file_whose_connection_breaks_late_is_the_same(web):
    body = bytes(range(256)) * (20 << 10)
    web.pages["/large"] = breaking(body, 4_000_000)
    assert content(web.url("large")) == body


def test_a_tar_that_has_changed_meanwhile_is_never_put_together_of_two(web, tmp_path):
    web.pages["/a.tar"] = breaking(tar(1, 2), len(tar(1)) // 2, then=tar(8, 9))
    assert tars(web.url("a.tar"), tmp_path, allow_private=True)[-1] in ("truncated", "unreadable")
    assert tars(web.url("a.tar"), tmp_path, allow_private=True) == [None, None]


def test_without_a_word_on_whether_it_is_the_same_it_isnt_gone_on_with(web, tmp_path):
    web.pages["/a.tar"] = breaking(tar(1, 2), 100, etag="")
    assert tars(web.url("a.tar"), tmp_path, allow_private=True)[-1] in ("truncated", "unreadable")
    assert len(web.log.asked) == 1


def test_a_tar_that_is_known_isnt_read_again(web, tmp_path):
    body = tar(1, 2)
    web.pages["/a.tar"] = page(body, ETag='"1"')
    first = listed("webdataset", web.url("a.tar"), tmp_path, allow_private=True)
    blob = tmp_path / "work" / first[0].at.uri
    before = blob.stat().st_mtime_ns
    assert listed("webdataset", web.url("a.tar"), tmp_path, allow_private=True) == first
    assert blob.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("way", "wanted"), [("gone", "http_404"), ("down", "http_503"), ("busy", "http_429")]
)
def test_a_server_that_says_no_is_a_row_with_its_code(web, tmp_path, way, wanted, monkeypatch):
    monkeypatch.setattr(
        "anidata.sources.web.files._config", lambda _: fetch.Config(**QUICK, allow_private=True)
    )
    assert tars(web.url(f"{way}/1"), tmp_path) == [wanted]
    assert len(web.log.asked) == (1 if way == "gone" else 3)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "csv.gz"])
def test_a_list_is_read_from_a_server(web, tmp_path, form):
    rows = [{"url": f"https://a.example/{n}.png", "artist": "mei"} for n in range(3)]
    buffer = io.BytesIO()
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), buffer)
    elif form == "jsonl":
        buffer.write("\n".join(json.dumps(row) for row in rows).encode())
    else:
        text = ("url,artist\n" + "\n".join(f"{row['url']},mei" for row in rows)).encode()
        buffer.write(gzip.compress(text) if form.endswith("gz") else text)
    web.pages[f"/list.{form}?x=1"] = page(buffer.getvalue())
    records = listed("urls", web.url(f"list.{form}?x=1"), tmp_path, allow_private=True)
    assert [(record.url, record.artist) for record in records] == [(row["url"], "mei") for row in rows]


def test_a_list_that_cant_be_had_is_a_source_error_and_leaves_nothing(web, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "anidata.sources.web.files._config", lambda _: fetch.Config(**QUICK, allow_private=True)
    )
    with pytest.raises(SourceError, match=r"404\. Check the URL"):
        listed("urls", web.url("gone/list.csv"), tmp_path)
    with pytest.raises(SourceError, match="Check the URL"):
        listed("urls", web.url("short/1.csv"), tmp_path)
    monkeypatch.setattr("anidata.sources.web.files.MOST", 1 << 20)
    with pytest.raises(SourceError, match="more than"):
        listed("urls", web.url("endless/list.csv"), tmp_path)
    assert not list((tmp_path / "work" / "tmp").iterdir())


def table(*seeds):
    buffer = io.BytesIO()
    pq.write_table(pa.table({"image": [picture(seed) for seed in seeds]}), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("broken", [page(b"", "404 Not Found"), page(b"no table"), page(table(7)[:-9])])
def test_a_table_of_a_pattern_that_cant_be_had_is_a_row_until_it_can(web, tmp_path, command, inline, broken):
    for number in range(3):
        web.pages[f"/t-{number}.parquet"] = page(table(number))
    web.pages["/t-1.parquet"] = broken
    words = ["ingest", tmp_path / "work", f"parquet:{web.url('t-{0..2}.parquet')}", "--allow-private"]
    command(*words)
    sql = "SELECT coalesce(error, 'ok') AS error, count(*) AS n FROM records GROUP BY 1 ORDER BY 1"
    rows = json.loads(command("query", tmp_path / "work", sql, "--format", "json"))
    assert rows == [{"error": "ok", "n": 2}, {"error": "unreadable", "n": 1}]
    web.pages["/t-1.parquet"] = page(table(1))
    command(*words)
    rows = json.loads(command("query", tmp_path / "work", sql, "--format", "json"))
    assert rows == [{"error": "ok", "n": 3}]
