"""A Danbooru of our own on loopback: posts.json in pages, as gallery-dl asks for it.

And every way in which it can go wrong.
"""

import importlib.util
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import pytest

from web_lab import picture

needs_gallery_dl = pytest.mark.skipif(
    importlib.util.find_spec("gallery_dl") is None, reason="gallery-dl isn't installed"
)

Post = dict[str, Any]
PAGE = 200  # posts that gallery-dl asks for at once


def post(number: int, **fields: object) -> Post:
    """A post as Danbooru has it; the picture is its number's."""
    strings = {
        "artist": "mei_(artist)",
        "character": "",
        "copyright": "original",
        "general": "1girl blue_eyes",
        "meta": "highres",
    }
    return {
        "id": number,
        "created_at": "2024-05-06T07:08:09.000-04:00",
        "rating": "s",
        "source": f"https://pages.example/{number}",
        "md5": f"{number:032x}",
        "file_ext": "png",
        "file_url": f"/good/{number}.png",
        "large_file_url": f"/good/{number}.webm",
        "tag_string": " ".join(strings.values()),
        **{f"tag_string_{kind}": text for kind, text in strings.items()},
        "score": number,
        **fields,
    }


class Booru:
    """Serves `posts`; `broken` may answer a page in their stead: (page) → status and body, or None."""

    def __init__(
        self, posts: list[Post], broken: Callable[[int], tuple[int, bytes] | None] = lambda _: None
    ) -> None:
        self.posts, self.broken, self.asked = posts, broken, list[str]()
        self.artists: list[Post] = []
        self.fence = ""  # the Referer without which /fenced/ is closed
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def source(self) -> str:
        return f"gallery:Danbooru:http://127.0.0.1:{self.port}/posts?tags=1girl"

    def response(self, target: str, referer: str | None) -> tuple[int, bytes]:
        """Status and body for a path with its query."""
        parts = urlsplit(target)
        if parts.path == "/posts.json":
            return self.page(parse_qs(parts.query))
        if parts.path == "/artists.json":
            return 200, json.dumps(self.artists).encode()
        if parts.path.startswith("/fenced/") and referer != self.fence:
            return 403, b"come from the gallery"
        if parts.path.startswith(("/good/", "/fenced/")):
            return 200, picture(int("".join(c for c in parts.path if c.isdigit()) or 0), 96)
        return 404, b""

    def page(self, query: dict[str, list[str]]) -> tuple[int, bytes]:
        """Status and body of the next page.

        gallery-dl asks first for all, then for what is before an id: pages are counted as they are asked for.
        """
        number = sum("/posts.json" in path for path in self.asked)
        if response := self.broken(number):
            return response
        before = query.get("page", ["b1000000000"])[0].removeprefix("b")
        remaining = [one for one in self.posts if one["id"] < int(before)]
        return 200, json.dumps(remaining[:PAGE]).encode()


def _handler(booru: Booru) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            booru.asked.append(self.path)
            status, body = booru.response(self.path, self.headers.get("Referer"))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def settings(home: Path, **more: object) -> None:
    """A config of gallery-dl's own in a home: no waiting, few tries."""
    home.mkdir(parents=True, exist_ok=True)
    no_waiting = {"sleep-request": 0, "sleep-retries": 0.01, "sleep-429": 0.01}
    config = {"extractor": {"retries": 1, **no_waiting, "timeout": 5, **more}}
    (home / ".gallery-dl.conf").write_text(json.dumps(config))
