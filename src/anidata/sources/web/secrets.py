"""Credentials in what others write: taken out before anything is published.

Users and passwords in URLs, and parameters that sign a URL or open a session, wherever a text holds them:
percent-encoded once or more, in fragments, in paths, in URLs within URLs. All is done in linear time.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from anidata.errors import SourceError
from anidata.sources.web.secret_names import is_companion, is_credential, is_field, is_login, is_parameter

DEEPEST = 20  # levels of a value; what lies deeper is left out
GONE = "***"

# What may stand before a parameter, at what depth of percent-encoding: none of them may be left over by the
# pattern of names.
_MARK = r"%(?P<depth>(?:25)*+)(?:3f|26|3b|23|7e)|\\u0026|[?&;#~/]"
_BARE = r"^|(?<=[\s\"'(\[{,<>|])"
_NAME = r"(?:[\w.\-\[\]$!]|%(?!(?:25)*+(?:3f|26|3b|23|7e|3d|2f))(?:25)*+[0-9a-f]{2}){1,80}?"
_START = re.compile(rf"(?P<mark>{_MARK}|{_BARE})(?P<name>{_NAME})(?:%(?:25)*+3d|\\u003d|=)", re.IGNORECASE)
_LOGIN = re.compile(
    r"((?::|%(?:25)*+3a|^|(?<=[\s\"'(=]))(?:\\?/|%(?:25)*+2f){2})"
    r"(?:[^/\s?#\"<>\\%]|%(?!(?:25)*+(?:2f|3f|23)))*(?:@|%(?:25)*+40)",
    re.IGNORECASE,
)
# beyond URLs: headers and tokens that are known by their look
_HEADERS = re.compile(
    r"(\b(?:proxy-)?authorization[\"']?\s{0,8}[:=]\s{0,8}[\"']?(?:(?:bearer|basic|digest|token)\s{1,8})?"
    r"|\bbearer\s{1,8}(?=[\w.~+/-]{8}))[^\s\"',;]+",
    re.IGNORECASE,
)
_COOKIE = re.compile(
    r"(\b(?:set-)?cookie[\"']?\s{0,8}[:=]\s{0,8}[\"']?)[^\s=\"']{1,64}=[^\r\n\"']+", re.IGNORECASE
)
_LOOKS = re.compile(r"(?<![\w-])(?:eyJ[\w-]{6,}\.eyJ[\w-]{6,}\.[\w-]*|(?:AKIA|ASIA)[A-Z0-9]{16}(?![\w-]))")
_HINT = re.compile(r"[=@%]|eyJ|(?:AK|AS)IA|bearer|authorization|u003d", re.IGNORECASE)


def scrubbed(text: str) -> str:
    """A text without the credentials in its URLs, headers and tokens; *** stands for each value."""
    if not _HINT.search(text):
        return text
    text = _LOGIN.sub(r"\1", text)
    text = "".join(_without_values(text))
    text = _COOKIE.sub(rf"\1{GONE}", _HEADERS.sub(rf"\1{GONE}", text))
    return _LOOKS.sub(GONE, text)


def _without_values(text: str) -> Iterator[str]:
    """Yield the pieces of a text, GONE for the value of each parameter that is no one's business."""
    starts = list(_START.finditer(text))
    names = [_decoded(start["name"]) for start in starts]
    is_signed = any(map(is_parameter, names))
    position = 0
    for start, name in zip(starts, names, strict=True):
        if start.start() < position or not _is_secret_here(start, name, is_signed=is_signed):
            continue
        yield text[position : start.end()] + GONE
        position = _end_of_value(text, start)
    yield text[position:]


def _is_secret_here(start: re.Match[str], name: str, *, is_signed: bool) -> bool:
    """Whether a parameter is secret: without a mark before it, it has to be called so plainly."""
    if not start["mark"]:
        return is_credential(name)
    return is_parameter(name) or (is_signed and is_companion(name))


def _end_of_value(text: str, start: re.Match[str]) -> int:
    """Where the value of a parameter ends: at a mark that is encoded no deeper than its own."""
    mark = start["mark"]
    depth = len(start["depth"]) // 2 + 1 if mark.startswith("%") else 0
    end = _ends(depth, in_path=mark in ("", ";", "~", "/")).search(text, start.end())
    return end.start() if end else len(text)


@lru_cache(64)
def _ends(depth: int, *, in_path: bool) -> re.Pattern[str]:
    plain = r"[\s\"'<>&#\\" + (r"/?;~,)" if in_path else "") + "]"
    encoded = rf"|%(?:25){{0,{min(depth, 8) - 1}}}(?:26|23)" if depth else ""
    return re.compile(plain + encoded, re.IGNORECASE)


def _decoded(name: str) -> str:
    """A name without percent-encoding, however often it was put on."""
    for _ in range(8):
        if "%" not in name:
            break
        name = unquote(name)
    return name


def url_without_secrets(url: str) -> str:
    """A URL without user, password and parameters that sign it or name a credential.

    Another stays as it is.
    """
    if not _HINT.search(url):
        return url
    url = _LOGIN.sub(r"\1", url)
    try:
        parts = urlsplit(url)
    except ValueError:
        return scrubbed(url)
    parameters = parts.query.split("&")
    names = [_decoded(one.partition("=")[0]) for one in parameters]
    if any(map(is_parameter, names)):
        pairs = zip(parameters, names, strict=True)
        kept = [one for one, name in pairs if not is_parameter(name) and not is_companion(name)]
        url = urlunsplit(SplitResult(parts.scheme, parts.netloc, parts.path, "&".join(kept), parts.fragment))
    return scrubbed(url)


def url_without_login(url: str) -> str:
    """A URL without user, password and what a gallery's own API takes for a login.

    By it a gallery's picture is known and fetched: what a site has signed stays.
    """
    url = _LOGIN.sub(r"\1", url)
    try:
        parts = urlsplit(url)
    except ValueError:
        return scrubbed(url)
    query = "&".join(one for one in parts.query.split("&") if not is_login(one.partition("=")[0]))
    return urlunsplit(SplitResult(parts.scheme, parts.netloc, parts.path, query, parts.fragment))


def has_secrets(url: str) -> bool:
    return scrubbed(url) != url


def refuse_secrets(text: str) -> None:
    """Refuse a URL with credentials, which are never to be remembered. Raises: SourceError."""
    if "://" in text and has_secrets(text):
        raise SourceError(
            f"{scrubbed(text)}: credentials in a URL would be written down. "
            "Download the file and type its path, or the URL without: fsspec takes them from its own config"
        )


def without_secrets(value: Any, depth: int = 0, *, of_program: bool = True) -> Any:
    """A value of JSON without what goes by a secret name, on any level, or credentials in its texts.

    of_program: whether a program says it, which keeps to itself what begins with an underscore.
    """
    if depth > DEEPEST:
        return None
    if isinstance(value, dict):
        return {
            _text(name): without_secrets(one, depth + 1, of_program=of_program)
            for name, one in value.items()
            if not _is_secret_field(str(name), one, of_program=of_program)
        }
    if isinstance(value, list):
        return [without_secrets(one, depth + 1, of_program=of_program) for one in value]
    return _text(value) if isinstance(value, str) else value


def _is_secret_field(name: str, value: Any, *, of_program: bool) -> bool:
    if of_program and (name.startswith("_") or is_login(name)):
        return True
    return is_field(name, value)


def _text(value: Any) -> str:
    text = str(value)
    return url_without_secrets(text) if re.match(r"https?://\S+\Z", text, re.IGNORECASE) else scrubbed(text)
