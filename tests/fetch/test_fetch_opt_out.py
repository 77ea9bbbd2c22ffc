"""Hosts that don't want their pictures taken for training aren't asked for them.

Every refusal has its code.
"""

import asyncio
import json

import pytest

from anidata.fetch import Bounds, Config, Request, opt_out
from anidata.fetch.client import Fetcher
from web_lab import Web, page, picture


@pytest.fixture
def web(tmp_path):
    with Web() as web:
        web.folder = tmp_path
        yield web


def ask(web, *paths, referer=None, **settings):
    """The answers to some paths, one after the other, in one session."""

    async def all_of_them():
        config = Config(**{"allow_private": True, "rate": 0, "backoff": 0.001} | settings)
        async with Fetcher(config, Bounds(1 << 20, 200), web.folder) as fetcher:
            answers = [
                await fetcher.fetch(Request(record=path, url=web.url(path), referer=referer))
                for path in paths
            ]
            for answer in answers:
                if answer.body:
                    answer.body.close()
            return answers

    return asyncio.run(all_of_them())


def errors(web, *paths, **settings):
    return [answer.error for answer in ask(web, *paths, **settings)]


# --- robots.txt -----------------------------------------------------------------------------------


def test_robots_txt_is_asked_for_first_and_once_and_obeyed(web):
    web.pages["/robots.txt"] = page(b"User-agent: *\nDisallow: /good/\nAllow: /good/1\n")
    assert errors(web, "good/1", "good/2", "good/1") == [None, "robots", None]
    assert web.log.paths() == ["/robots.txt", "/.well-known/tdmrep.json", "/good/1", "/good/1"]


def test_the_group_that_names_us_counts_before_everyones(web):
    web.pages["/robots.txt"] = page(
        b"User-agent: *\nDisallow: /\n\nUser-agent: anidata\nDisallow: /private/\n"
    )
    assert errors(web, "good/1", "private/1") == [None, "robots"]


@pytest.mark.parametrize(
    ("status", "wanted"),
    [("404 Not Found", None), ("403 Forbidden", None), ("503 Service Unavailable", "robots")],
)
def test_a_robots_txt_that_isnt_there_forbids_nothing_and_one_that_cant_be_had_everything(
    web, status, wanted
):
    web.pages["/robots.txt"] = page(b"User-agent: *\nDisallow: /\n", status)
    assert errors(web, "good/1") == [wanted]


def test_a_robots_txt_that_cant_be_had_is_asked_for_as_often_as_there_are_tries_whatever_the_number_of_urls(
    web,
):
    web.pages["/robots.txt"] = page(b"", "503 Service Unavailable")
    assert errors(web, *(f"good/{n}" for n in range(20)), tries=3) == ["robots"] * 20
    assert web.log.paths() == ["/robots.txt"] * 3


def test_redirects_to_a_robots_txt_are_followed(web):
    web.pages["/robots.txt"] = page(b"", "301 Moved", Location="/elsewhere.txt")
    web.pages["/elsewhere.txt"] = page(b"User-agent: *\nDisallow: /\n")
    assert errors(web, "good/1") == ["robots"]


def test_a_crawl_delay_is_kept():
    assert opt_out.from_robots("User-agent: *\nCrawl-delay: 7\n").delay == 7


def test_the_host_that_a_redirect_leads_to_is_asked_for_its_robots_txt_too(tmp_path):
    with Web("127.0.0.1", "127.0.0.2") as web:
        web.folder = tmp_path
        web.pages["/hop"] = page(b"", "302 Found", Location=web.url("good/1", "127.0.0.2"))
        web.pages["127.0.0.2/robots.txt"] = page(b"User-agent: *\nDisallow: /\n")
        [answer] = ask(web, "hop")
        assert (answer.error, answer.redirects, answer.final_url) == (
            "robots",
            1,
            web.url("good/1", "127.0.0.2"),
        )
        assert web.log.count("/good/1") == 0


# --- headers --------------------------------------------------------------------------------------

REFUSALS = [
    ({"X-Robots-Tag": "noai"}, "noai"),
    ({"X-Robots-Tag": "noindex, NoImageAI"}, "noai"),
    ({"X-Robots-Tag": "anidata: noml"}, "noai"),
    ({"TDM-Reservation": "1", "TDM-Policy": "https://a.example/policy"}, "tdm_reserved"),
    ({"Content-Usage": "train-ai=n"}, "content_usage"),
    ({"Content-Usage": "search=y, train-ai=n;x=1"}, "content_usage"),
    ({"Content-Signal": "search=yes, ai-train=no"}, "content_usage"),
]
PERMISSIONS = [
    {"X-Robots-Tag": "noindex, nofollow"},
    {"X-Robots-Tag": "otherbot: noai"},
    {"X-Robots-Tag": "unavailable_after: 25 Jun 2030"},
    {"TDM-Reservation": "0"},
    {"Content-Usage": "train-ai=y"},
    {"Content-Usage": "search=n"},
    {"Content-Signal": "ai-train=yes"},
]


@pytest.mark.parametrize(("headers", "code"), REFUSALS)
def test_a_header_that_forbids_training_is_obeyed_and_the_picture_not_taken(web, headers, code):
    async def refuse(client, _):
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        await client.send(f"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n{lines}\r\n".encode())
        await client.reader.read()  # the body never comes: who waits for it hangs

    web.pages["/a"] = refuse
    [answer] = ask(web, "a", idle_time=0, total_time=0)
    assert (answer.error, answer.size, answer.http) == (code, 0, 200)


@pytest.mark.parametrize("headers", PERMISSIONS)
def test_a_header_that_forbids_something_else_or_speaks_to_others_forbids_nothing(web, headers):
    web.pages["/a"] = page(picture(1), **headers)
    assert errors(web, "a") == [None]


@pytest.mark.parametrize(("headers", "code"), REFUSALS)
def test_what_is_ignored_is_written_down(web, headers, code):
    web.pages["/a"] = page(picture(1), **headers)
    [answer] = ask(web, "a", ignore_opt_out=True)
    assert (answer.error, answer.ignored) == (None, code)


def test_the_headers_that_matter_to_rights_are_kept(web):
    web.pages["/a"] = page(
        picture(1),
        **{
            "X-Robots-Tag": "nosnippet",
            "TDM-Policy": "https://a.example/p",
            "Content-Usage": "search=y",
            "ETag": '"x"',
        },
    )
    [answer] = ask(web, "a")
    assert (answer.robots_tag, answer.tdm_policy, answer.content_usage, answer.etag) == (
        "nosnippet",
        "https://a.example/p",
        "search=y",
        '"x"',
    )


# --- files of the whole host ----------------------------------------------------------------------


def tdmrep(rules):
    """The file that has these rules: pairs of location and value."""
    return json.dumps([{"location": at, "tdm-reservation": value} for at, value in rules]).encode()


def test_a_tdmrep_json_reserves_what_it_names(web):
    rules = [("/good/1", 0), ("/good/*", 1), ("/x$", 1)]
    web.pages["/.well-known/tdmrep.json"] = page(tdmrep(rules))
    web.pages["/xy"] = page(picture(2))
    assert errors(web, "good/1", "good/2", "x", "xy") == [None, "tdm_reserved", "tdm_reserved", None]


@pytest.mark.parametrize(
    ("rules", "reserved"),
    [
        ([("/art/free/", 0), ("/", 1)], False),
        ([("/", 1), ("/art/free/", 0)], True),  # the first in sequence, as the report has it
        ([("/", 0), ("/art/", 1)], True),  # the longest, as its keeper means it
        ([("/art/*", 0), ("/art/free/1.png", 1)], True),
        ([("/art/free/1.png", 0), ("/art/free/1.png$", 1)], True),
        ([("/art/", 0), ("/art/*", 1)], True),
        ([("/other/", 1)], False),
    ],
)
def test_the_first_and_the_longest_location_of_a_tdmrep_json_may_each_reserve(rules, reserved):
    stated = opt_out.Rules(reservations=opt_out.reservations(tdmrep(rules)))
    refusal = stated.refusal("/art/free/1.png")
    assert (refusal is not None) == reserved


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[1, {}]", b'{"location": 5, "tdm-reservation": 1}', b"[" * 100_000, b"\xff\xfe"]
)
def test_a_tdmrep_json_that_is_none_reserves_nothing(data):
    assert opt_out.reservations(data) == ()


@pytest.mark.parametrize(
    ("text", "path", "code"),
    [
        ("User-agent: *\nContent-Usage: train-ai=n\n", "/a", "content_usage"),
        ("User-agent: *\nContent-Signal: search=yes,ai-train=no\nAllow: /\n", "/a", "content_usage"),
        ("User-agent: *\nContent-Usage: /art/ train-ai=n\n", "/a", None),
        ("User-agent: *\nContent-Usage: /art/ train-ai=n\n", "/art/a", "content_usage"),
        ("User-agent: *\nContent-Usage: train-ai=n\nContent-Usage: /free/ train-ai=y\n", "/free/a", None),
        ("User-agent: other\nContent-Usage: train-ai=n\n", "/a", None),
        ("User-agent: other\nUser-agent: *\nContent-Usage: train-ai=n\n", "/a", "content_usage"),
        ("User-agent: *\nContent-Usage: train-ai=n\n\nUser-agent: anidata\nAllow: /\n", "/a", None),
    ],
)
def test_preferences_in_robots_txt_count_too(text, path, code):
    refusal = opt_out.from_robots(text).refusal(path)
    assert (refusal and refusal[0]) == code


# --- manners --------------------------------------------------------------------------------------


def test_we_say_who_we_are_and_how_to_reach_us(web):
    ask(web, "good/1", contact="https://a.example/bot\r\nX-Evil: 1")
    agents = {asked.headers["user-agent"] for asked in web.log.asked}
    assert len(agents) == 1
    assert agents.pop().startswith("anidata/")
    assert not any("x-evil" in asked.headers for asked in web.log.asked)
    assert "(+https://a.example/botX-Evil: 1)" in web.log.asked[0].headers["user-agent"]


def test_no_cookie_is_ever_sent_back(web):
    web.pages["/a"] = page(picture(1), Set_Cookie="id=1")
    ask(web, "a", "a")
    assert not any("cookie" in asked.headers for asked in web.log.asked)


def test_a_referer_goes_to_the_host_of_the_url_alone_and_to_no_rules(tmp_path):
    with Web("127.0.0.1", "127.0.0.2") as web:
        web.folder = tmp_path
        web.pages["127.0.0.1/a"] = page(b"", "302 Found", Location="/b")
        web.pages["127.0.0.1/b"] = page(b"", "302 Found", Location=web.url("c", "127.0.0.2"))
        web.pages["127.0.0.2/c"] = page(b"", "302 Found", Location=web.url("good/1", "127.0.0.1"))
        [answer] = ask(web, "a", referer="https://a.example/art")
    assert answer.error is None
    sent = [(asked.host, asked.path) for asked in web.log.asked if "referer" in asked.headers]
    assert sent == [("127.0.0.1", "/a"), ("127.0.0.1", "/b"), ("127.0.0.1", "/good/1")]
