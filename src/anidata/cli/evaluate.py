"""The command on trained baselines beside each other: evaluate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anidata.cli.common import MayImportPandas, app, show, training_imports
from anidata.cli.options import Device, DeviceName, Json, ModelFile
from anidata.engine import printing

if TYPE_CHECKING:
    from anidata.training.evaluation.document import Evaluation

FinishedRuns = Annotated[list[Path], typer.Argument(metavar="RUN…", help="Folders of trainings.")]
Data = Annotated[
    Path, typer.Option("--data", metavar="DATASET", help="The data set that they were trained on.")
]
Split = Annotated[
    str,
    typer.Option("--split", metavar="NAME", help="Of val models may be chosen; a look at test is recorded."),
]
ReportFolder = Annotated[
    Path, typer.Option("-o", "--output", metavar="DIR", help="The report: index.html, Markdown, CSV, JSON.")
]
EvaluationSettings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="evaluate.KEY=VALUE", help="Change one setting; may be given many times."),
]


@app.command("evaluate", cls=MayImportPandas)
def evaluate(
    runs: FinishedRuns,
    data: Data,
    split: Split = "val",
    output: ReportFolder = Path("evaluation"),
    settings: EvaluationSettings = None,
    model: ModelFile = None,
    device: DeviceName = Device.AUTO,
    as_json: Json = False,
) -> None:
    """Compare trained baselines, and colorizers that have learned nothing, with intervals."""
    with training_imports():
        from anidata.training.evaluation import evaluate as evaluation

    from anidata.reports.comparison import writing

    writing.check(output)
    order = evaluation.Order(
        runs=runs, dataset=data, split=split, settings=settings or (), device=device.value, model=model
    )
    done = evaluation.evaluate(order)
    page = writing.write(output, done.document, done.pictures, done.files)
    show({"page": str(page)} | done.document, as_json, lambda: printing.out(_summary(done, page), lines=True))


def _summary(done: "Evaluation", page: Path) -> str:
    """The order of each protocol, what is to be known of it, and where the report lies."""
    lines = [f"note: {printing.visible(warning)}" for warning in done.document["warnings"]]
    for table in done.document["tables"]:
        order = ", ".join(
            f"{printing.visible(entry['name'])} {entry['score']:.3f}" for entry in table["ranking"]
        )
        lines.append(f"{table['protocol']}: {order or 'no order'}")
    return "\n".join([*lines, f"report  {page}"])
