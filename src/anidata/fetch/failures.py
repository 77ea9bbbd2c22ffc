"""Failures on the way, as codes."""

import asyncio
import os

import aiohttp

from anidata.fetch import Config, FetchError


def fetch_error(error: Exception, config: Config) -> FetchError:
    """The code and sentence for what aiohttp or the system has raised."""
    failure = _of_time(error, config) or _of_connection(error)
    if failure:
        return failure
    if isinstance(error, aiohttp.ClientPayloadError):
        return FetchError("cut_short", "the body ends too soon", again=True)
    return FetchError("bad_answer", f"no HTTP that is understood here ({type(error).__name__})")


def _of_time(error: Exception, config: Config) -> FetchError | None:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return FetchError("unreachable", f"no connection within {config.connect_time:g} s", again=True)
    if isinstance(error, aiohttp.SocketTimeoutError):
        return FetchError("stalled", f"no byte for {config.idle_time:g} s", again=True)
    if isinstance(error, asyncio.TimeoutError):
        return FetchError("slow", f"not whole within {config.total_time:g} s")
    return None


def _of_connection(error: Exception) -> FetchError | None:
    if isinstance(error, aiohttp.ClientSSLError):
        return FetchError("tls", "its certificate or its TLS isn't accepted")
    if isinstance(error, aiohttp.ClientConnectorError):
        code = "refused" if isinstance(error.os_error, ConnectionRefusedError) else "unreachable"
        message = os.strerror(error.os_error.errno) if error.os_error.errno else "no connection"
        return FetchError(code, message, again=True)
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError | OSError):
        return FetchError("reset", "the connection was lost", again=True)
    return None
