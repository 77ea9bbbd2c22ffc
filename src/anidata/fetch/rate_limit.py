"""Politeness: how many requests a host has at once, and how soon after each other they begin.

A host may also ask to be left alone for a while.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType

from anidata.fetch import Config


@dataclass(frozen=True)
class Clock:
    """A source of seconds, and a way to wait for them."""

    now: Callable[[], float]
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep


class HostLimit:
    """One host's slots: a context holds one.

    A request begins when a slot is free, the last one's start lies far enough back, and no pause is on.
    """

    def __init__(self, config: Config, everyone: asyncio.Semaphore, clock: Clock) -> None:
        self._interval = 1 / config.rate if config.rate else 0.0
        self._slots = asyncio.Semaphore(config.concurrency)
        self._turn = asyncio.Lock()  # who holds it is the next to begin
        self._everyone, self._clock = everyone, clock
        self._free_at = 0.0
        self.lost = 0  # requests in a row that brought no answer

    def slow_down(self, interval: float) -> None:
        """Leave at least so many seconds between two requests."""
        self._interval = max(self._interval, interval)

    def pause(self, seconds: float) -> None:
        """Begin nothing for so long."""
        self._free_at = max(self._free_at, self._clock.now() + seconds)

    async def __aenter__(self) -> None:
        """Wait for a slot and for the turn; hold the slot."""
        await self._slots.acquire()
        try:
            async with self._turn:
                await self._begin()
        except BaseException:
            self._slots.release()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._everyone.release()
        self._slots.release()

    async def _begin(self) -> None:
        """Wait first for the host and then for one of all requests' slots.

        In this order, a request that only waits for a slow host holds no slot that others could use.
        """
        while True:
            while (wait := self._free_at - self._clock.now()) > 0:
                await self._clock.sleep(wait)
            await self._everyone.acquire()
            if self._free_at <= self._clock.now():  # no pause has come meanwhile
                self._free_at = self._clock.now() + self._interval
                return
            self._everyone.release()


class HostLimits:
    """The limits of all hosts that are being asked."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._config, self._clock = config, clock
        self._everyone = asyncio.Semaphore(config.connections)
        self._limits: dict[str, HostLimit] = {}

    def __getitem__(self, host: str) -> HostLimit:
        limit = self._limits.get(host)
        if limit is None:
            limit = self._limits[host] = HostLimit(self._config, self._everyone, self._clock)
        return limit
