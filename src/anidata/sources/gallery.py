"""A gallery that gallery-dl can read (Danbooru and its kin, Pixiv, MediaWiki, …): it lists, and the pictures are fetched politely

gallery-dl (GPL-2.0) runs as a program of its own and keeps its own config, credentials too. A self-hosted instance is named by its kind:
gallery:Danbooru:http://127.0.0.1:3000/posts?tags=1girl; its address has to be public, or allowed by --allow-private. That check is made
on the gallery's URL alone: where redirects or galleries within lead gallery-dl then is not watched. Every picture's URL is checked when
it is fetched. Where names tell the artist's own lineart from its color picture (NAME_line.png, NAME_color.png; ingest.lines and
ingest.colors are the patterns), it goes with it. Of the headers that a site asks for
the Referer alone is sent, as Pixiv wants it, and to the host of the picture's URL alone; no cookie and no other credential is.
"""

import hashlib
import re
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from anidata import fetch
from anidata.errors import SourceError
from anidata.fetch.urls import BadURL, authority_of, canonical, host_of, path_of
from anidata.sources import Options, Record
from anidata.sources.listing.pairing import paired
from anidata.sources.listing.sidecars import Notes, clean, extra_of, from_fields
from anidata.sources.web.gallery_dl import CHALLENGE, LOGIN, UNKNOWN, ListingFailed, rows
from anidata.sources.web.secrets import has_secrets, scrubbed, url_without_secrets, without_secrets
from anidata.storage import Reference, encode

EXAMPLE = "gallery:https://danbooru.donmai.us/posts?tags=1girl"
PREFIX = "gallery:"  # also the root of all: a picture in two galleries is one sighting
URL = re.compile(r"(?:(?P<kind>[A-Za-z][\w.-]*):)?(?P<url>https?://\S+)", re.IGNORECASE)
REFUSED = (
    "recursive",
    "r",
    "generic",
    "g",
    "oauth",
    "ytdl",
    "cache",
    "noop",
)  # read any page or file, or nothing
OTHERS = {
    **dict.fromkeys(
        ("mp4", "webm", "mkv", "mov", "avi", "m4v", "flv", "swf", "ogv", "m3u8", "mpd"), "a video"
    ),
    **dict.fromkeys(("zip", "rar", "7z", "tar", "gz"), "an archive"),
    **dict.fromkeys(("mp3", "ogg", "oga", "wav", "m4a", "flac", "opus"), "sound"),
    **dict.fromkeys(("pdf", "txt", "html", "htm", "json", "doc", "docx", "epub"), "a document"),
}  # endings of what is no picture

Row = dict[str, Any]


def accepts(text: str) -> bool:
    return text.startswith(PREFIX)


def check(text: str) -> None:
    """Raises: SourceError: no gallery's URL, or one with credentials, which are never to be remembered."""
    _place_and_url(text)


def records(text: str, options: Options) -> Iterator[Record]:
    place, url = _place_and_url(text)
    if not options.allow_private:
        _check_public(host_of(url))
    with closing(_listed(text, place, f"{authority_of(url)}/")) as found:
        yield from paired(found, options)


def placeholders(text: str) -> list[Record]:
    """The row that stands for all that wasn't listed; a later listing that comes to its end settles it."""
    return [_rest(text.removeprefix(PREFIX))]


def _rest(place: str) -> Record:
    return Record(PREFIX, encode(f"listing/{place}"), _file(place), error="listing_failed")


def _listed(text: str, place: str, home: str) -> Generator[tuple[str, Record], None, None]:
    """Each picture once, with the name that its site knows it by; then a row for the rest where the listing breaks off. Raises: SourceError."""
    seen: set[bytes] = set()
    try:
        with closing(rows(place)) as found:
            for row in found:
                record = _record(row, home)
                name = hashlib.blake2b(record.name.encode(), digest_size=16).digest()
                if name not in seen:
                    seen.add(name)
                    yield _site_name(row) or record.file, record
    except ListingFailed as why:
        if not seen:
            raise SourceError(f"{scrubbed(text)}: {_remedy(why)}") from why
        yield "", _broken_off(place, len(seen), why)
    if not seen:
        raise SourceError(
            f"{scrubbed(text)}: nothing is listed there. Type the URL of a gallery with pictures: {EXAMPLE}"
        )


def _site_name(row: Row) -> str:
    """A picture's name at its site, which its URL may not tell; empty where there is none."""
    stem, ending = row.get("filename"), row.get("extension")
    return clean(f"{stem}.{ending}") if isinstance(stem, str) and stem and isinstance(ending, str) else ""


def _place_and_url(text: str) -> tuple[str, str]:
    """What gallery-dl is given, and the URL in it. Raises: SourceError."""
    place = text.removeprefix(PREFIX)
    match = URL.fullmatch(place)
    if match is None or (match["kind"] or "").lower() in REFUSED:
        raise SourceError(
            f"{PREFIX}{scrubbed(place)}: no gallery's URL. Type one that begins with http: {EXAMPLE}"
        )
    if has_secrets(place):
        raise SourceError(
            f"{PREFIX}{url_without_secrets(place)}: credentials don't belong into a URL. Put them into gallery-dl's own config,"
            " then type the URL without them."
        )
    try:
        return place, canonical(match["url"])
    except BadURL as error:
        raise SourceError(f"{PREFIX}{place}: {error}. Type a gallery's URL: {EXAMPLE}") from error


def _check_public(host: str) -> None:
    """Raises: SourceError, MissingExtra."""
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
        url = url_without_secrets(row["_unread"])
        return Record(
            PREFIX,
            encode(url),
            _file(url),
            error="unread_gallery",
            message="a gallery within, which gallery-dl can't read",
            url=url,
        )
    found = clean(str(row.get("_url") or ""))
    fields = {clean(str(name)).lower(): value for name, value in without_secrets(row).items()}
    if "extmetadata" in fields:  # MediaWiki's user is whoever has put it there
        fields["uploader"] = fields.pop("user", None)
    notes, extra = _notes(fields), extra_of(fields)
    said = hashlib.sha256(repr((notes, extra)).encode()).hexdigest()[:12]
    url, error, message = _at(found, fields)
    return Record(
        root=PREFIX, name=encode(url or scrubbed(found)[:1000] or said), file=_file(url or found),
        at=None if error else Reference(url), error=error, message=message, stamp=said, url=url or None, license=notes.license,
        artist=notes.artist, rating=notes.rating, tags=notes.tags, caption=notes.caption, extra=extra, referer=_referer(row, home),
    )  # fmt: skip


def _referer(row: Row, home: str) -> str | None:
    """Where a picture is asked for from: what gallery-dl says, or else the site that lists it, as a browser would. None with credentials in it."""
    headers = row.get("_http_headers")
    found = (
        next((value for name, value in headers.items() if name.lower() == "referer"), home)
        if isinstance(headers, dict)
        else home
    )
    try:
        return canonical(found) if isinstance(found, str) and not has_secrets(found) else None
    except BadURL:
        return None


def _at(found: str, fields: Row) -> tuple[str, str | None, str | None]:
    """The URL to fetch, or why there is nothing to be fetched: URL, code, message."""
    try:
        url = canonical(url_without_secrets(found))
    except BadURL as error:
        return "", "bad_url", f"{error}: {scrubbed(found)[:200]}" if found else "gallery-dl names no URL"
    ending = path_of(url).partition("?")[0].rpartition(".")[2].lower()
    for one in (ending, str(fields.get("extension") or "").lower()):
        if one in OTHERS:
            return url, "not_an_image", f"{OTHERS[one]} (.{one})"
    return url, None, None


def _notes(fields: Row) -> Notes:
    """By the names of boorus, Pixiv and their kin, then by those of MediaWiki; a title where there is no other text."""
    wiki = fields.get("extmetadata")
    told = (
        {name: one.get("value") for name, one in wiki.items() if isinstance(one, dict)}
        if isinstance(wiki, dict)
        else {}
    )
    texts = {name: re.sub(r"<[^>]*>", "", value) for name, value in told.items() if isinstance(value, str)}
    more = {
        "license": texts.get("LicenseShortName"),
        "artist": texts.get("Artist"),
        "caption": texts.get("ImageDescription"),
    }
    return from_fields(fields).over(from_fields(more)).over(from_fields({"caption": fields.get("title")}))


def _file(url: str) -> str:
    return clean(unquote(url.partition("?")[0].rpartition("/")[2])) or "\ufffd"


def _broken_off(place: str, count: int, why: ListingFailed) -> Record:
    message = f"the listing broke off after {count:,}, the same command lists again: {why.message}"
    return replace(_rest(place), message=message, stamp=why.message)


def _remedy(why: ListingFailed) -> str:
    """What happened where nothing at all was listed, and what to type next."""
    if why.code & UNKNOWN:
        return f"gallery-dl knows no such gallery. Type a site's own URL, or an instance's after its kind, as in {PREFIX}Danbooru:https://…"
    if why.code & LOGIN:
        return f"{why.message}. It asks for a login: put yours into gallery-dl's own config, then run the same command again."
    if why.code & CHALLENGE:
        return f"{why.message}. It lets no program in; ask its keepers."
    return f"{why.message}. Check the URL, then run the same command again."
