"""Failures on the way, as codes."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from anidata.fetch import Config, FetchError

# what foreign data make of code that doesn't expect them
ODD = (ValueError, LookupError, ArithmeticError, RecursionError, EOFError)
# and what libraries have been seen to make of them
OF_LIBRARIES = (*ODD, TypeError, AttributeError, AssertionError, RuntimeError, HttpProcessingError)


class Stumbled(aiohttp.ClientError):
    """A library has raised on an answer, or on a URL, what it doesn't say that it raises."""


@contextmanager
def of_libraries() -> Iterator[None]:
    """Raise ClientError or OSError, whatever a library makes of one answer.

    Nothing but calls of aiohttp stands within: there is no bug of ours to be hidden.
    """
    try:
        yield
    except (OSError, aiohttp.ClientError):
        raise
    except OF_LIBRARIES as error:
        raise Stumbled(type(error).__name__) from error


def odd(error: Exception) -> FetchError:
    """The code and sentence for an answer at which somebody stumbles."""
    return FetchError("bad_answer", f"no HTTP that is understood here ({type(error).__name__})")


def fetch_error(error: Exception, config: Config) -> FetchError:
    """The code and sentence for what aiohttp or the system has raised."""
    failure = _of_time(error, config) or _of_connection(error)
    if failure:
        return failure
    if isinstance(error, aiohttp.ClientPayloadError):
        return FetchError("cut_short", "the body ends too soon", again=True)
    cause = error.__cause__ if isinstance(error, Stumbled) else None
    return odd(cause if isinstance(cause, Exception) else error)


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
