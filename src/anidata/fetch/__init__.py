"""Polite, safe HTTP: pictures by URL, asked for under an honest name, slowly, and only where that is allowed.

`Fetcher` in client.py turns requests into responses; it needs aiohttp (`require`). What stands here
is free of it.
"""

import importlib.util
import re
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile

import anidata
from anidata.errors import MissingExtra
from anidata.recipe import Amount, Count, Positive

NEEDED = ("aiohttp",)
AGENT = "anidata"  # the name that robots.txt and X-Robots-Tag may speak to
LONGEST_VALIDATOR = 256  # characters of an ETag or Last-Modified that is kept, and sent back
PASSING_STATUSES = (408, 425, 429, 500, 502, 503, 504)  # of HTTP, that may be others soon


@dataclass(frozen=True, kw_only=True)
class Config:
    """How to ask for pictures by URL."""

    contact: str = ""  # an address or URL by which a host's keeper reaches you; sent with each request
    concurrency: Positive = 4  # requests to one host at once
    rate: Amount = 10.0  # requests to one host in a second; 0: no limit
    connections: Positive = 64  # requests to all hosts at once
    tries: Positive = 3  # of what may pass: 429, 5xx, lost connections
    backoff: Amount = 1.0  # seconds before the second try, doubled for each further one
    max_wait: Amount = 120.0  # seconds that a host may ask us to wait; one that asks for more is left alone
    connect_time: Amount = 10.0  # seconds until there is a connection; 0: no limit
    idle_time: Amount = 20.0  # seconds without a byte; 0: no limit
    total_time: Amount = 300.0  # seconds for one request; 0: no limit
    max_redirects: Count = 5
    # take pictures whose hosts forbid it by robots.txt, noai, TDM reservation or Content-Usage
    ignore_opt_out: bool = False
    allow_private: bool = False  # ask hosts in private networks and on this machine too

    @property
    def user_agent(self) -> str:
        contact = "".join(c for c in self.contact if c.isprintable() and c.isascii()).strip()
        return f"{AGENT}/{anidata.__version__}" + (f" (+{contact})" if contact else "")


@dataclass(frozen=True)
class Bounds:
    """What one body may take."""

    max_bytes: int  # unpacked
    max_ratio: int  # bytes unpacked for each that came, beyond the first MiB


@dataclass(frozen=True, kw_only=True)
class Request:
    """A URL to ask for, and what is known of an earlier response."""

    record: str
    url: str
    etag: str | None = None
    modified: str | None = None
    referer: str | None = None  # sent to the URL's own host alone
    at: str = ""  # where redirects had led to; empty: to nowhere yet
    redirects: int = 0  # followed to get there


@dataclass(kw_only=True)
class Response:
    """What became of a request: one row. Texts are as the server sent them."""

    record: str
    url: str
    final_url: str
    asked: float = 0.0  # seconds since 1970
    http: int | None = None  # status code
    error: str | None = None
    message: str | None = None
    redirects: int = 0
    tries: int = 0
    etag: str | None = None
    modified: str | None = None
    type: str | None = None
    robots_tag: str | None = None
    tdm_reservation: str | None = None
    tdm_policy: str | None = None
    content_usage: str | None = None
    ignored: str | None = None  # codes of the refusals that were ignored
    elsewhere: bool = False  # redirected to a host that another worker asks: to be gone on with
    body: "SpooledTemporaryFile[bytes] | None" = None
    size: int = 0  # bytes of the body


class FetchError(Exception):
    """Why there is no picture: `code` for the column `error`, and a sentence.

    again: whether to try again, at the soonest after `wait` seconds.
    """

    def __init__(self, code: str, message: str, *, again: bool = False, wait: float = 0.0) -> None:
        super().__init__(code, message)
        self.code, self.message, self.again, self.wait = code, message, again, wait


class ForeignHost(Exception):
    """A redirect leads to a host that another worker may be asking."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url


def validator(text: str | None) -> str | None:
    """An ETag or a date as it may be sent back: short, of visible ASCII and spaces; None: it is none.

    It is asked whenever one is taken from an answer, a journal or a table.
    """
    if text is None or len(text) > LONGEST_VALIDATOR:
        return None
    return text if re.fullmatch(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?", text) else None


def require() -> None:
    """Raises: MissingExtra: what the fetcher needs isn't installed."""
    for name in NEEDED:
        if importlib.util.find_spec(name) is None:
            raise MissingExtra(
                f"fetching needs {name}, which isn't installed. Install it with: pip install 'anidata[web]'"
            )
