"""A gallery that gallery-dl can read (Danbooru and its kin, Pixiv, MediaWiki, …): it lists, and the pictures
are fetched politely

gallery-dl (GPL-2.0) runs as a program of its own and keeps its own config, credentials too. A self-hosted
instance is named by its kind: gallery:Danbooru:http://127.0.0.1:3000/posts?tags=1girl; its address has to be
public, or allowed by --allow-private. That check is made on the gallery's URL alone: where redirects or
galleries within lead gallery-dl then is not watched. Every picture's URL is checked when it is fetched. Where
names tell the artist's own lineart from its color picture (NAME_line.png, NAME_color.png; ingest.lines and
ingest.colors are the patterns), it goes with it. Of the headers that a site asks for the Referer alone is
sent, as Pixiv wants it, and to the host of the picture's URL alone; no cookie and no other credential is.
"""

import hashlib
import re
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from anidata import fetch
from anidata.errors import SourceError
from anidata.fetch.urls import BadURL, authority_of, canonical, host_of, path_of
from anidata.sources import Options, Record
from anidata.sources.listing.pairing import paired
from anidata.sources.listing.sidecars import Notes, clean, digest_of, extra_of, from_fields
from anidata.sources.web.gallery_dl import CHALLENGE, LOGIN, UNKNOWN, ListingFailed, Row, rows
from anidata.sources.web.secrets import (
    has_secrets,
    scrubbed,
    url_without_login,
    url_without_secrets,
    without_secrets,
)
from anidata.storage import Reference, encode

EXAMPLE = "gallery:https://danbooru.donmai.us/posts?tags=1girl"
PREFIX = "gallery:"  # also the root of all: a picture in two galleries is one sighting
TAKES = "the URL of a gallery"
HAS_PATH = False
URL = re.compile(r"(?:(?P<kind>[A-Za-z][\w.-]*):)?(?P<url>https?://\S+)", re.IGNORECASE)
# kinds that read any page or file, or nothing
REFUSED = ("recursive", "r", "generic", "g", "oauth", "ytdl", "cache", "noop")
VIDEOS = ("mp4", "webm", "mkv", "mov", "avi", "m4v", "flv", "swf", "ogv", "m3u8", "mpd")
DOCUMENTS = ("pdf", "txt", "html", "htm", "json", "doc", "docx", "epub")
# endings of what is no picture
OTHERS = {
    **dict.fromkeys(VIDEOS, "a video"),
    **dict.fromkeys(("zip", "rar", "7z", "tar", "gz"), "an archive"),
    **dict.fromkeys(("mp3", "ogg", "oga", "wav", "m4a", "flac", "opus"), "sound"),
    **dict.fromkeys(DOCUMENTS, "a document"),
}


def accepts(text: str) -> bool:
    return text.startswith(PREFIX)


def check(text: str) -> None:
    """Refuse what is no gallery's URL, or one with credentials, which are never to be remembered."""
    _address_and_url(text)


def records(text: str, options: Options) -> Iterator[Record]:
    address, url = _address_and_url(text)
    if not options.allow_private:
        _check_public(host_of(url))
    with closing(_listed(text, address, f"{authority_of(url)}/")) as named:
        yield from paired(named, options)


def placeholders(text: str) -> list[Record]:
    """The record that stands for all that wasn't listed; a later listing that comes to its end settles it."""
    return [_placeholder(text.removeprefix(PREFIX))]


def _placeholder(address: str) -> Record:
    name = encode(f"listing/{address}")
    return Record(root=PREFIX, name=name, file=_file(address), error="listing_failed")


def _listed(text: str, address: str, home: str) -> Generator[tuple[str, Record], None, None]:
    """Yield each picture once, with its site's name for it; then a placeholder if the listing breaks off.

    Raises: SourceError: nothing at all is listed.
    """
    seen: set[bytes] = set()
    try:
        with closing(rows(address)) as listing:
            for row in listing:
                record = _record(row, home)
                name = hashlib.blake2b(record.name.encode(), digest_size=16).digest()
                if name not in seen:
                    seen.add(name)
                    yield _site_name(row) or record.file, record
    except ListingFailed as why:
        if not seen:
            raise SourceError(f"{scrubbed(text)}: {_remedy(why)}") from why
        yield "", _broken_off(address, len(seen), why)
    if not seen:
        raise SourceError(
            f"{scrubbed(text)}: nothing is listed there. Type the URL of a gallery with pictures: {EXAMPLE}"
        )


def _site_name(row: Row) -> str:
    """A picture's name at its site, which its URL may not tell; empty where there is none."""
    stem, ending = row.get("filename"), row.get("extension")
    return clean(f"{stem}.{ending}") if isinstance(stem, str) and stem and isinstance(ending, str) else ""


def _address_and_url(text: str) -> tuple[str, str]:
    """The address that gallery-dl is given, a URL or KIND:URL, and the URL in it. Raises: SourceError."""
    address = text.removeprefix(PREFIX)
    match = URL.fullmatch(address)
    if match is None or (match["kind"] or "").lower() in REFUSED:
        raise SourceError(
            f"{PREFIX}{scrubbed(address)}: no gallery's URL. Type one that begins with http: {EXAMPLE}"
        )
    if has_secrets(address):
        raise SourceError(
            f"{PREFIX}{url_without_secrets(address)}: credentials don't belong into a URL. "
            "Put them into gallery-dl's own config, then type the URL without them."
        )
    try:
        return address, canonical(match["url"])
    except BadURL as error:
        raise SourceError(f"{PREFIX}{address}: {error}. Type a gallery's URL: {EXAMPLE}") from error


def _check_public(host: str) -> None:
    """Refuse a host in a private network. Raises: SourceError, MissingExtra."""
    fetch.require()
    import asyncio  # noqa: PLC0415

    from anidata.fetch.addresses import Addresses  # noqa: PLC0415  aiohttp: for those alone who fetch

    try:
        asyncio.run(_addresses(Addresses, host))
    except fetch.FetchError as why:
        raise SourceError(
            f"{host}: {why.message}. Type another gallery's URL, or allow this one: --allow-private"
        ) from why


async def _addresses(checked: Any, host: str) -> None:
    await checked(allow_private=False).check(host)


def _record(row: Row, home: str) -> Record:
    if "_unread" in row:
        return _unread(url_without_login(row["_unread"]))
    text = clean(str(row.get("_url") or ""))
    fields = {clean(str(name)).lower(): value for name, value in without_secrets(row).items()}
    if "extmetadata" in fields:  # MediaWiki's user is whoever has put it there
        fields["uploader"] = fields.pop("user", None)
    notes, extra = _notes(fields), extra_of(fields)
    stamp = digest_of(notes, extra)
    target = _target(text, fields)
    return Record(
        root=PREFIX,
        name=encode(target.url or scrubbed(text)[:1000] or stamp),
        file=_file(target.url or text),
        at=None if target.error else Reference(target.url),
        error=target.error,
        message=target.message,
        stamp=stamp,
        extra=extra,
        referer=_referer(row, home),
        **notes.fields() | {"url": target.url or None},
    )


def _unread(url: str) -> Record:
    return Record(
        root=PREFIX,
        name=encode(url),
        file=_file(url),
        error="unread_gallery",
        message="a gallery within, which gallery-dl can't read",
        url=url,
    )


def _referer(row: Row, home: str) -> str | None:
    """The URL from which a picture is asked for; None with credentials in it.

    It is gallery-dl's word, or else the site that lists the picture, as a browser would have it.
    """
    headers = row.get("_http_headers")
    pairs = headers.items() if isinstance(headers, dict) else ()
    referer = next((value for name, value in pairs if name.lower() == "referer"), home)
    if not isinstance(referer, str) or has_secrets(referer):
        return None
    try:
        return canonical(referer)
    except BadURL:
        return None


@dataclass(frozen=True)
class _Target:
    """The URL to fetch, or why there is nothing to be fetched: code and message."""

    url: str
    error: str | None = None
    message: str | None = None


def _target(text: str, fields: Row) -> _Target:
    try:
        url = canonical(url_without_login(text))
    except BadURL as error:
        message = f"{error}: {scrubbed(text)[:200]}" if text else "gallery-dl names no URL"
        return _Target("", "bad_url", message)
    ending = path_of(url).partition("?")[0].rpartition(".")[2].lower()
    for one in (ending, str(fields.get("extension") or "").lower()):
        if one in OTHERS:
            return _Target(url, "not_an_image", f"{OTHERS[one]} (.{one})")
    return _Target(url)


def _notes(fields: Row) -> Notes:
    """The notes by the names of boorus, Pixiv and their kin, then by those of MediaWiki.

    A title is the caption where there is no other text.
    """
    texts = _wiki_texts(fields.get("extmetadata"))
    more = {
        "license": texts.get("LicenseShortName"),
        "artist": texts.get("Artist"),
        "caption": texts.get("ImageDescription"),
    }
    return from_fields(fields).over(from_fields(more)).over(from_fields({"caption": fields.get("title")}))


def _wiki_texts(extmetadata: Any) -> dict[str, str]:
    """The values of MediaWiki's metadata that are texts, without their HTML."""
    if not isinstance(extmetadata, dict):
        return {}
    values = {name: one.get("value") for name, one in extmetadata.items() if isinstance(one, dict)}
    return {name: re.sub(r"<[^<>]*>", "", value) for name, value in values.items() if isinstance(value, str)}


def _file(url: str) -> str:
    return clean(unquote(url.partition("?")[0].rpartition("/")[2])) or "\ufffd"


def _broken_off(address: str, count: int, why: ListingFailed) -> Record:
    message = f"the listing broke off after {count:,}, the same command lists again: {why.message}"
    return replace(_placeholder(address), message=message, stamp=why.message)


def _remedy(why: ListingFailed) -> str:
    """The end of a message where nothing at all was listed: why, and what to type next."""
    if why.code & UNKNOWN:
        return (
            "gallery-dl knows no such gallery. "
            f"Type a site's own URL, or an instance's after its kind, as in {PREFIX}Danbooru:https://…"
        )
    if why.code & LOGIN:
        return (
            f"{why.message}. It asks for a login: "
            "put yours into gallery-dl's own config, then run the same command again."
        )
    if why.code & CHALLENGE:
        return f"{why.message}. It lets no program in; ask its keepers."
    return f"{why.message}. Check the URL, then run the same command again."
