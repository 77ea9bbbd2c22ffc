"""What was checked is what is connected to, whatever names and URLs lead there.

Neither proxies nor credentials of the environment are used.
"""

import asyncio
import io
import socket
import tarfile

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anidata import fetch, registry
from anidata.errors import SourceError
from anidata.fetch import Bounds, Config, Request, reading
from anidata.fetch.client import Fetcher
from anidata.sources import Options
from gallery_lab import Booru, needs_gallery_dl, post, settings
from web_lab import Web, page, picture

SECRET = "S3cr3tV4lue"
PROXIES = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"]


@pytest.fixture
def web(tmp_path):
    with Web("127.0.0.1", "127.0.0.2") as web:
        web.folder = tmp_path
        yield web


@pytest.fixture
def planted(web, tmp_path, monkeypatch):
    """Proxies, a .netrc and a jar of cookies, where programs look for them."""
    home = tmp_path / "home"
    home.mkdir()
    netrc = f"default login mei password {SECRET}\nmachine 127.0.0.1 login mei password {SECRET}\n"
    (home / ".netrc").write_text(netrc)
    (home / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("NETRC", str(home / ".netrc"))
    for name in PROXIES:
        monkeypatch.setenv(name, f"http://mei:{SECRET}@127.0.0.2:{web.port}")
    return home


def ask(folder, urls, lookup=reading.system_lookup, **settings):
    async def all_of_them():
        config = Config(**{"allow_private": True, "rate": 0, "tries": 1} | settings)
        async with Fetcher(config, Bounds(1 << 20, 200), folder, lookup=lookup) as fetcher:
            answers = [await fetcher.fetch(Request(record=url, url=url)) for url in urls]
            for answer in answers:
                if answer.body:
                    answer.body.close()
            return answers

    return asyncio.run(all_of_them())


def tar_of(*seeds):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        for seed in seeds:
            info = tarfile.TarInfo(f"{seed}.png")
            info.size = len(picture(seed))
            file.addfile(info, io.BytesIO(picture(seed)))
    return buffer.getvalue()


def parquet_of(*seeds):
    buffer = io.BytesIO()
    pq.write_table(pa.table({"image": [picture(seed) for seed in seeds]}), buffer)
    return buffer.getvalue()


def listed(kind, url, base, **options):
    return list(registry.load("sources", kind).records(f"{kind}:{url}", Options(base=base, **options)))


FILES = {"webdataset": ("a.tar", tar_of(1, 2)), "parquet": ("a.parquet", parquet_of(1, 2))}


# --- the environment ----------------------------------------------------------------------------------------


def check_untouched(web, requests):
    """That many requests, none by a proxy, none with a credential."""
    assert len(web.log.asked) == requests
    for one in web.log.asked:
        assert (one.host, one.path[:1]) == ("127.0.0.1", "/")
        assert not {"authorization", "proxy-authorization", "cookie"} & set(one.headers)
        assert SECRET not in repr(one)


def test_pictures_are_asked_for_without_what_the_environment_holds(web, planted):
    web.pages["/hop"] = page(b"", "302 Found", Location="/good/1", Set_Cookie="a=1; Path=/")
    assert [answer.error for answer in ask(web.folder, [web.url("hop"), web.url("good/2")])] == [None, None]
    check_untouched(web, 5)


@pytest.mark.parametrize("kind", FILES)
def test_files_by_url_are_asked_for_without_what_the_environment_holds(web, planted, kind):
    name, data = FILES[kind]
    web.pages["/hop"] = page(b"", "302 Found", Location=f"/{name}", Set_Cookie="a=1; Path=/")
    web.pages[f"/{name}"] = page(data)
    assert len(listed(kind, web.url("hop"), web.folder, allow_private=True)) == 2
    check_untouched(web, 2)


@needs_gallery_dl
def test_galleries_are_asked_for_without_what_the_environment_holds(web, planted):
    settings(planted)
    with Booru([post(1), post(2)]) as booru:
        assert (
            len(listed("gallery", booru.source.removeprefix("gallery:"), web.folder, allow_private=True)) == 2
        )
    assert web.log.asked == []


# --- addresses ----------------------------------------------------------------------------------------------


class Turning:
    """A name server that gives an open address first, and one of this machine from then on."""

    def __init__(self, first):
        self.first, self.asked = first, []

    def __call__(self, host):
        self.asked.append(host)
        address = self.first if len(self.asked) == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0))]


@pytest.fixture
def turning(monkeypatch):
    monkeypatch.setattr("anidata.fetch.addresses.is_public", lambda address: address == "127.0.0.1")
    names = Turning("127.0.0.1")
    real = socket.getaddrinfo

    def lookup(host, *args, **more):
        host = host.decode() if isinstance(host, bytes) else host
        return names(host) if host and host.endswith(".example") else real(host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return names


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("hops", [0, 1, 3])
def test_a_file_by_a_name_that_turns_comes_from_the_address_that_was_checked(web, turning, kind, hops):
    name, data = FILES[kind]
    web.pages[f"/{name}"] = page(data)
    for hop in range(hops):
        there = f"/hop/{hop - 1}" if hop else f"/{name}"
        location = f"http://turning.example:{web.port}{there}"
        web.pages[f"/hop/{hop}"] = page(b"", "302 Found", Location=location, Connection="close")
    path = f"hop/{hops - 1}" if hops else name
    assert len(listed(kind, f"http://turning.example:{web.port}/{path}", web.folder)) == 2
    assert turning.asked == ["turning.example"]


def test_a_picture_by_a_name_that_turns_comes_from_the_address_that_was_checked(web, turning):
    web.pages["/hop"] = page(b"", "302 Found", Location=f"http://turning.example:{web.port}/good/1")
    urls = [f"http://turning.example:{web.port}/{path}" for path in ("hop", "good/2", "good/3")]
    assert [answer.error for answer in ask(web.folder, urls, allow_private=False)] == [None] * 3
    assert turning.asked == ["turning.example"]


def test_a_name_that_turns_before_it_is_checked_is_refused(web, turning):
    turning.first = "127.0.0.2"
    [answer] = ask(web.folder, [f"http://turning.example:{web.port}/good/1"], allow_private=False)
    assert answer.error == "private_address"
    with pytest.raises(fetch.FetchError, match="private_address"):
        with reading.opened(f"http://turning.example:{web.port}/a.tar", Config()):
            pass
    assert web.log.asked == []


# --- schemes ------------------------------------------------------------------------------------------------

REFUSED = [
    *(
        "file:///etc/passwd",
        "local:///etc/passwd",
        "FILE:///etc/passwd",
        "ssh://a.example/x",
        "sftp://a.example/x",
    ),
    *("git://a.example/x", "git:///tmp/repo:x", "ext::sh -c 'touch {mark}'://x", "hdfs://a.example/x"),
    *("smb://a.example/x", "ftp://127.0.0.1/x", "github://a:b@c/x", "webhdfs://127.0.0.1/x", "dask://x/y"),
    *(
        "simplecache::file:///etc/passwd",
        "zip://x.csv::file:///tmp/a.zip",
        "zip://x.csv::http://127.0.0.1/a.zip",
    ),
    *("filecache::s3://bucket/x", "blockcache::memory://x", "memory://x::file:///etc/passwd"),
    *(
        "HTTP://127.0.0.1/x",
        "reference://x",
        "pipe:cat /etc/passwd://x",
        "jupyter://127.0.0.1/x",
        "data://,x",
    ),
]


@pytest.mark.parametrize("kind", ["urls", "parquet", "webdataset"])
@pytest.mark.parametrize("url", REFUSED)
def test_no_url_reads_a_file_here_starts_a_program_or_asks_unchecked(tmp_path, monkeypatch, kind, url):
    for name in ("url_to_fs", "open"):
        monkeypatch.setattr(fsspec.core, name, lambda *_, **__: pytest.fail("fsspec was asked"))
    for name in ("posix_spawn", "fork", "forkpty"):
        monkeypatch.setattr(f"os.{name}", lambda *_, **__: pytest.fail("a program was started"))
    with pytest.raises(SourceError, match=r"Type"):
        listed(kind, url.format(mark=tmp_path / "mark"), tmp_path)


@pytest.mark.parametrize("url", REFUSED)
def test_no_url_of_a_list_is_asked_for_but_by_http(tmp_path, url):
    (tmp_path / "list.txt").write_text(url.replace("HTTP://", "x://"))
    [record] = listed("urls", tmp_path / "list.txt", tmp_path)
    assert (record.error, record.at) == ("bad_url", None)


@pytest.mark.parametrize("url", [one for one in REFUSED if "HTTP" not in one])
def test_no_redirect_leads_elsewhere_than_to_http(web, url):
    web.pages["/hop"] = page(b"", "302 Found", Location=url)
    [answer] = ask(web.folder, [web.url("hop")], max_redirects=1)
    assert answer.error in ("bad_redirect", "http_404")
    assert {one.host for one in web.log.asked} == {"127.0.0.1"}


# a post's source, which gallery-dl is told to go on with
CHILDREN = [
    "recursive:file://{file}",
    "r:file://{file}",
    "oauth:pixiv",
    "oauth:reddit",
    "g:{web}",
    "generic:{web}",
]


@needs_gallery_dl
@pytest.mark.parametrize("child", CHILDREN)
def test_no_post_leads_gallery_dl_to_a_file_here_or_to_any_page(web, planted, child):
    settings(planted, Danbooru={"external": True})
    (web.folder / "file").write_text("https://a.example/secret.png")
    unread = post(1, source=child.format(file=web.folder / "file", web=web.url("page")))
    del unread["file_url"]
    with Booru([post(2), unread]) as booru:
        records = listed("gallery", booru.source.removeprefix("gallery:"), web.folder, allow_private=True)
    assert records[0].error is None
    assert [record.error for record in records[1:]] in ([], ["unread_gallery"])
    assert "secret" not in repr(records)
    assert web.log.asked == []


@pytest.mark.parametrize(
    "address",
    [
        "-o x=y",
        "--exec touch",
        "oauth:pixiv",
        "ytdl:https://a.example/",
        "recursive:https://a.example/",
    ]
    + [
        "Danbooru:r:https://a.example/",
        "r:file:///etc/passwd",
        "https://a.example/ --exec x",
        "\nhttps://a.example/",
    ],
)
def test_gallery_dl_is_given_galleries_alone(tmp_path, monkeypatch, address):
    monkeypatch.setattr("anidata.sources.web.gallery_dl.program", lambda: pytest.fail("it was started"))
    with pytest.raises((SourceError, pytest.fail.Exception)) as caught:
        listed("gallery", address, tmp_path, allow_private=True)
    assert caught.type is SourceError
