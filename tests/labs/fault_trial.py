"""A trial of `make torture`."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Trial:
    """One disturbance: of which kind, where, and how to make it; it gives what was amiss after healing."""

    kind: str
    where: str
    make: Callable[[Any, random.Random], list[str]]
    place: str = "lane"  # or: few, a lane with few pictures; yard
