"""Credentials in what a website says: taken out before anything is written down."""

import re
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from anidata.errors import SourceError

NAMES = (
    "access[_-]?token|api[_-]?key|auth|auth[_-]?token|authorization|client[_-]?secret|cookies?|csrf[_-]?token"
    "|login|pass|passwd|password|pass[_-]?hash|password[_-]?hash|phpsessid|refresh[_-]?token|secret|session"
    "|session[_-]?id|sid|token|x[_-]?api[_-]?key"
)
DEEPEST = 20  # levels of a value; what lies deeper is left out

_NAME = re.compile(NAMES, re.IGNORECASE)
_LOGIN = re.compile(r"(?<=://)[^/\s?#]*@")
_PARAMETER = re.compile(rf"(?P<name>[?&;](?:{NAMES})=)[^&;#\s'\"]*", re.IGNORECASE)
_HEADER = re.compile(r"\b(authorization|cookie|set-cookie)(\W+)[^\r\n]+", re.IGNORECASE)


def is_secret(name: str) -> bool:
    """Whether what goes by a name is no one's business.

    Credentials are, and what a program keeps to itself by an underscore.
    """
    return name.startswith("_") or _NAME.fullmatch(name) is not None


def scrubbed(text: str) -> str:
    """A text without the credentials in its URLs."""
    text = _LOGIN.sub("", text)
    return _HEADER.sub(r"\1\2***", _PARAMETER.sub(r"\g<name>***", text))


def url_without_secrets(url: str) -> str:
    """A URL without user, password and parameters that name a credential; another stays as it is."""
    # after a prefix, as in Danbooru:https://, a login stands where urlsplit doesn't look
    url = _LOGIN.sub("", url)
    try:
        parts = urlsplit(url)
    except ValueError:
        return scrubbed(url)
    query = "&".join(one for one in parts.query.split("&") if not _NAME.fullmatch(one.partition("=")[0]))
    return urlunsplit(SplitResult(parts.scheme, parts.netloc, parts.path, query, parts.fragment))


def has_secrets(url: str) -> bool:
    return scrubbed(url) != url


def refuse_secrets(text: str) -> None:
    """Refuse a URL with credentials, which are never to be remembered. Raises: SourceError."""
    if "://" in text and has_secrets(text):
        raise SourceError(
            f"{scrubbed(text)}: credentials in a URL would be written down. "
            "Type it without: fsspec takes them from its own config"
        )


def without_secrets(value: Any, depth: int = 0) -> Any:
    """A value of JSON without what goes by a secret name, on any level, or credentials in its texts."""
    if depth > DEEPEST:
        return None
    if isinstance(value, dict):
        return {
            str(name): without_secrets(one, depth + 1)
            for name, one in value.items()
            if not is_secret(str(name))
        }
    if isinstance(value, list):
        return [without_secrets(one, depth + 1) for one in value]
    return scrubbed(value) if isinstance(value, str) else value
