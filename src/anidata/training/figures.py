"""Figures by their names: which metric's file has one, and what is known of it."""

from types import ModuleType

from anidata import registry
from anidata.errors import RecipeError, UnknownPart
from anidata.training.metrics import Figure


def home(name: str) -> ModuleType:
    """The metric's file that has a figure: psnr has psnr, psnr_ab and psnr_drawn.

    Raises: UnknownPart: there is no such figure; the message names the nearest.
    """
    files = [file for file in registry.names("metrics") if f"{name}_".startswith(f"{file}_")]
    modules = [registry.load("metrics", file) for file in files or [name]]
    for module in modules:
        if name in module.FIGURES:
            return module
    known = [figure for module in modules for figure in module.FIGURES]
    near = registry.nearest(name, known)
    raise UnknownPart(f"metrics: there is no figure '{name}'.{near} There are: {', '.join(known)}")


def figure(name: str) -> Figure:
    """What is known of a figure.

    Raises: UnknownPart: there is no such figure.
    """
    known: Figure = home(name).FIGURES[name]
    return known


def is_of_pictures(module: ModuleType) -> bool:
    """Whether a metric gives a value for each picture and looks through no weights."""
    return not getattr(module, "SET", False) and not module.EXTRACTOR


def check_validated(name: str) -> None:
    """See that a figure can be taken at each validation of a training.

    Raises: UnknownPart: there is no such figure. RecipeError: it is of a whole set, or looks through weights.
    """
    if not is_of_pictures(home(name)):
        raise RecipeError(
            f"train.metric: validation can't take '{name}': it is of a whole set, or looks through weights. "
            "Take one of each picture by itself, such as psnr, ssim or ciede2000; see: anidata list metrics"
        )
