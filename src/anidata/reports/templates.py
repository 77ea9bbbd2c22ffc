r"""How pages are filled in: all that is given to a template is escaped, and nothing may be left out.

What has no glyph, or turns the direction of writing, is shown as \u202e and so on, as on a terminal.
"""

from pathlib import Path
from typing import Any

import jinja2

from anidata.engine import printing

SHARED = Path(__file__).parent  # head.html: what every page says of itself, so that it asks nobody


def environment(*folders: Path) -> jinja2.Environment:
    """The environment of a page whose templates lie in some folders, of which the first that has one wins."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, SHARED]),
        autoescape=True,
        finalize=_visible,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _visible(value: Any) -> Any:
    """A plain text with all its characters visible; markup of a template's own, and numbers, as they are."""
    return printing.visible(value, lines=True) if type(value) is str else value
