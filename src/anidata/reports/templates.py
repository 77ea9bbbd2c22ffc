"""How pages are filled in: all that is given to a template is escaped, and nothing may be left out."""

from pathlib import Path

import jinja2

SHARED = Path(__file__).parent  # head.html: what every page says of itself, so that it asks nobody


def environment(folder: Path) -> jinja2.Environment:
    """The environment of a page whose templates lie in a folder."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, SHARED]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
