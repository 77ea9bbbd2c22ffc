"""Options and arguments that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
import typer.core

Work = Annotated[Path, typer.Argument(metavar="WORK", help="The workspace's folder.")]
Sources = Annotated[
    list[str], typer.Argument(metavar="SOURCE…", help="A folder, an archive, or KIND:REST such as sample:")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Workers = Annotated[
    int,
    typer.Option("--workers", min=0, help="Worker processes; 0: one for each processor.", show_default=False),
]
RecipeName = Annotated[
    str | None,
    typer.Option(
        "--recipe", metavar="NAME|PATH", help="Start from this recipe, not from the workspace's last one."
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="STAGE.KEY=VALUE", help="Change one setting; may be given many times."),
]
ModelFile = Annotated[
    Path | None,
    typer.Option(
        "--model",
        metavar="PATH",
        help="The run's model file, where it is one of your own that this machine doesn't know.",
    ),
]
UrlColumn = Annotated[
    str | None,
    typer.Option("--url-column", metavar="NAME", help="The column of a list that holds its URLs."),
]
LineColumn = Annotated[
    str | None,
    typer.Option(
        "--line-column",
        metavar="NAME",
        help="The column of a list or table that holds the artist's own lineart, or its URLs.",
    ),
]
IgnoreOptOut = Annotated[
    bool | None,
    typer.Option(
        "--ignore-opt-out/--honor-opt-out",
        help="Take pictures whose hosts forbid it; the recipe and the rows say so.",
    ),
]
AllowPrivate = Annotated[
    bool | None,
    typer.Option(
        "--allow-private/--public-only", help="Ask hosts in private networks and on this machine too."
    ),
]
Reset = Annotated[
    bool,
    typer.Option("--reset", help="Forget what --set and options have set before: by the recipe alone."),
]
Limit = Annotated[
    int,
    typer.Option(
        "--limit",
        min=0,
        metavar="N",
        help="Look at no more than N pictures in all: for a try-out.",
        show_default=False,
    ),
]
Refresh = Annotated[
    bool,
    typer.Option(
        "--refresh", help="Look again at files and sidecars that have changed; ask URLs for what has."
    ),
]

Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite", help="Replace files of yours that stand where a picture goes; never one that is read."
    ),
]


class Form(StrEnum):
    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class Shelf(StrEnum):
    SOURCES = "sources"
    MEASURES = "measures"
    STYLES = "styles"
    METRICS = "metrics"
    EXTRACTORS = "extractors"
    MODELS = "models"
    PIPELINES = "pipelines"


class Device(StrEnum):
    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


DeviceName = Annotated[
    Device, typer.Option("--device", help="What to compute on; auto: a GPU where there is one.")
]
