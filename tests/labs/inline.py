"""An engine that works in this process."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

from anidata.engine.engine import Watch


class Inline:
    """An engine without processes: what the stages do can be counted."""

    def __init__(self, workers: int = 0) -> None:
        self.workers = workers or 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def streams(self, _warm: str) -> Self:
        return self

    def walk(
        self, function: Callable[..., Iterator[Any]], arguments: tuple[Any, ...], _: Any
    ) -> Iterator[Any]:
        return function(*arguments)

    def map(
        self, function: Callable[[Any, Watch], Any], parts: Sequence[Any], **_: Any
    ) -> Iterator[tuple[Any, Any]]:
        for part in parts:
            yield part, function(part, Watch())
