"""What goes wrong on the way, as codes."""

import asyncio
import os

import aiohttp

from anidata.fetch import Config, Unfetched


def unfetched(error: Exception, config: Config) -> Unfetched:
    """The code and sentence for what aiohttp or the system has raised."""
    why = _time(error, config) or _connection(error)
    if why:
        return why
    if isinstance(error, aiohttp.ClientPayloadError):
        return Unfetched("cut_short", "the body ends too soon", again=True)
    return Unfetched("bad_answer", f"no HTTP that is understood here ({type(error).__name__})")


def _time(error: Exception, config: Config) -> Unfetched | None:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Unfetched("unreachable", f"no connection within {config.connect_time:g} s", again=True)
    if isinstance(error, aiohttp.SocketTimeoutError):
        return Unfetched("stalled", f"no byte for {config.idle_time:g} s", again=True)
    if isinstance(error, asyncio.TimeoutError):
        return Unfetched("slow", f"not whole within {config.total_time:g} s")
    return None


def _connection(error: Exception) -> Unfetched | None:
    if isinstance(error, aiohttp.ClientSSLError):
        return Unfetched("tls", "its certificate or its TLS isn't accepted")
    if isinstance(error, aiohttp.ClientConnectorError):
        refused = isinstance(error.os_error, ConnectionRefusedError)
        return Unfetched(
            "refused" if refused else "unreachable",
            os.strerror(error.os_error.errno) if error.os_error.errno else "no connection",
            again=True,
        )
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError | OSError):
        return Unfetched("reset", "the connection was lost", again=True)
    return None
