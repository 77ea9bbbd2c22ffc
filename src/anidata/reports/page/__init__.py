"""The page: what became of a pile, as one static HTML file that opens without a server and asks the network for nothing.

Its bytes are a function of the workspace: no clock, no path of this machine. Text that was found somewhere, such as a file's name, is
escaped by the template; pictures are small WebPs in data URIs, of what is shown alone.
"""

from pathlib import Path

from anidata.engine.engine import Engine
from anidata.pipeline import Recipe
from anidata.reports.page import choice, layout, thumbnails
from anidata.reports.page.choice import Config as Config
from anidata.reports.page.layout import Written as Written
from anidata.workspace import Workspace


def write(
    workspace: Workspace,
    recipe: Recipe,
    engine: Engine,
    path: Path,
    config: Config = Config(),  # noqa: B008  frozen
) -> Written:
    """Write the page of a workspace as it stands.

    Raises: StorageError: there is no room, or no access.
    """
    chosen = choice.choose(workspace, recipe, config)
    opened = thumbnails.open_all(workspace, recipe, engine, chosen)
    return layout.write(path, chosen, opened)
