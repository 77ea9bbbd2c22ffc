"""URLs as they are asked for and compared: one spelling for each, no credentials, no fragment."""

import hashlib
import ipaddress
import re
from functools import lru_cache
from urllib.parse import SplitResult, quote, urljoin, urlsplit, urlunsplit

PORTS = {"http": 80, "https": 443}
LONGEST = 8000  # characters; servers refuse longer ones
LONGEST_WHY = 100  # characters of why a text is no URL
LANES = 64  # hosts are spread over so many
_KEPT = "!#$%&'()*+,/:;=?@[]~-._"  # what may stand in a URL as it is, and a % that may begin an escape
_SPACES = " \t\r\n\f\v\0"


class BadURL(ValueError):
    """No URL that can be asked for; its text says why."""


def canonical(text: str) -> str:
    """The one spelling of an http(s) URL.

    ASCII, its host in lower case, without default port, credentials and fragment.

    Raises: BadURL.
    """
    try:
        parts = urlsplit(re.sub("[\t\r\n]", "", text.strip(_SPACES)))
        host, port = _host(parts), parts.port
    except ValueError as error:
        raise BadURL(f"no URL: {_why(error)}") from error
    if parts.scheme not in PORTS:
        raise BadURL("neither http nor https")
    authority = host if port in (None, PORTS[parts.scheme]) else f"{host}:{port}"
    url = urlunsplit((parts.scheme, authority, _escaped(parts.path) or "/", _escaped(parts.query), ""))
    if len(url) > LONGEST:
        raise BadURL(f"{len(url):,} characters; the limit is {LONGEST:,}")
    return url


def joined(base: str, location: str) -> str:
    """The canonical URL that a redirect leads to. Raises: BadURL."""
    try:
        return canonical(urljoin(base, location.strip(_SPACES)))
    except ValueError as error:
        raise error if isinstance(error, BadURL) else BadURL(f"no URL: {_why(error)}") from error


def _why(error: ValueError) -> str:
    """What is wrong, without what the URL holds: that may be a password."""
    if isinstance(error, BadURL):
        return str(error)
    if isinstance(error, UnicodeError):
        return "its host is no name"
    return re.sub(r"'[^']*'?|\"[^\"]*\"?", "…", str(error))[:LONGEST_WHY]


@lru_cache(4096)
def host_of(url: str) -> str:
    """The host of a canonical URL, without brackets and port."""
    return urlsplit(url).hostname or ""


@lru_cache(4096)
def authority_of(url: str) -> str:
    """Scheme, host and port of a canonical URL: what one robots.txt speaks for."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def path_of(url: str) -> str:
    """Path and query of a canonical URL."""
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def lane_of(url: str) -> int:
    """The number of a canonical URL's lane: all requests to a host are made in its lane."""
    return _lane(host_of(url))


@lru_cache(4096)
def _lane(host: str) -> int:
    return int.from_bytes(hashlib.sha256(host.encode()).digest()[:8], "big") % LANES


def _host(parts: SplitResult) -> str:
    """The host in ASCII, IPv6 in brackets."""
    host = (parts.hostname or "").rstrip(".")
    if not host:
        raise BadURL("no host")
    if "%" in host:
        raise BadURL("no host name")
    if ":" in host:
        return f"[{ipaddress.IPv6Address(host)}]"
    name = (host if host.isascii() else host.encode("idna").decode()).lower()
    if not re.fullmatch(r"[a-z0-9_.-]+", name):
        raise BadURL("no host name")
    return name


def _escaped(text: str) -> str:
    """Percent-encoded where it must be; what is encoded stays so."""
    text = re.sub("[\ud800-\udfff]", "\ufffd", text)
    quoted = re.sub("%(?![0-9A-Fa-f]{2})", "%25", quote(text, safe=_KEPT))
    return quoted.replace("[", "%5B").replace("]", "%5D")
