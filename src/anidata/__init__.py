"""anidata: from a pile of artwork to a clean, leak-free data set of (lineart, color) pairs."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anidata.catalog.catalog import Catalog
    from anidata.dataset.samples import load_dataset
    from anidata.lineart.draw import draw
    from anidata.workspace import open_workspace

__version__ = "0.1.0"
__all__ = ["Catalog", "__version__", "draw", "load_dataset", "open_workspace"]

_HOMES = {
    "Catalog": "catalog.catalog",
    "draw": "lineart.draw",
    "load_dataset": "dataset.samples",
    "open_workspace": "workspace",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: `import anidata` itself costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'anidata' has no attribute '{name}'")
    return getattr(import_module(f"anidata.{_HOMES[name]}"), name)
