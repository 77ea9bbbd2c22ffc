"""What a process of ours does without.

Pandas, which pyarrow imports wherever it is installed, .5 s in each process, and which nothing here uses; and
Arrow's own allocator, which keeps up to 30 MB of what it has been given back.
"""

import os
import sys
from importlib.abc import MetaPathFinder


def slim() -> None:
    """Hide pandas from this process, as if it weren't installed, and have Arrow take the system's allocator.

    For processes that are ours from their first line on, before pyarrow is imported.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    sys.meta_path.insert(0, _NoPandas())


class _NoPandas(MetaPathFinder):
    def find_spec(self, name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)
