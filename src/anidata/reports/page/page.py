"""Writes the page: choose what it shows, open the pictures, lay it out."""

from pathlib import Path

from anidata.engine.job import Job
from anidata.reports.page import choice, layout, thumbnails
from anidata.reports.page.choice import Config
from anidata.reports.page.layout import Written


def write(job: Job, path: Path, config: Config = Config()) -> Written:  # noqa: B008  frozen
    """Write the page of a workspace as it stands.

    Raises: StorageError: there is no room, or no access.
    """
    chosen = choice.choose(job, config)
    opened = thumbnails.open_all(job, chosen)
    return layout.write(path, chosen, opened)
