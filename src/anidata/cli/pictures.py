"""The commands on loose pictures and baselines: draw, train-baseline, colorize."""

import json
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
import typer.core

from anidata.cli.common import MayImportPandas, app, show, training_imports
from anidata.cli.options import Device, DeviceName, Json, ModelFile, Overwrite, Settings
from anidata.engine import printing

if TYPE_CHECKING:
    from anidata.imaging.loose.job import Done

DrawnImages = Annotated[list[Path], typer.Argument(metavar="IMAGE…", help="Pictures; folders too.")]
DrawingFolder = Annotated[
    Path,
    typer.Option(
        "-o",
        "--output",
        metavar="DIR",
        help="Each picture's lineart becomes DIR/STEM.png; those of folders keep their folders.",
    ),
]
DrawingStyle = Annotated[
    str,
    typer.Option("--style", metavar="NAME", help="A style (see: anidata list styles), or onnx:MODEL.onnx."),
]
DrawingSize = Annotated[
    int,
    typer.Option("--size", min=0, help="Long side in px; 0: the picture's own.", show_default=False),
]
Compare = Annotated[
    bool,
    typer.Option("--compare", help="Draw every style instead, all on one sheet: DIR/styles.png."),
]
Baseline = Annotated[
    str,
    typer.Argument(metavar="NAME|PATH", help="A model file by name (see: anidata list models) or path."),
]
DatasetFolder = Annotated[
    str, typer.Argument(metavar="DATASET", help="A finished data set's folder, such as WORK/dataset.")
]
NewRun = Annotated[
    Path,
    typer.Argument(metavar="RUN", help="The training's folder; the same command goes on with it."),
]
Preset = Annotated[str, typer.Option("--preset", metavar="P", help="One of the model file's presets.")]
TrainingSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="train.KEY=VALUE|model.KEY=VALUE",
        help="Change one setting; may be given many times.",
    ),
]
InitialWeights = Annotated[
    str,
    typer.Option(
        "--init",
        metavar="RUN|FILE",
        help="Start from the weights of a run or .safetensors file, where they fit.",
        show_default=False,
    ),
]
FinishedRun = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a training.")]
ColorizedImages = Annotated[
    list[Path], typer.Argument(metavar="IMAGE…", help="Line art or colored pictures; folders too.")
]
ColorFolder = Annotated[
    Path,
    typer.Option("-o", "--output", metavar="DIR", help="Each picture becomes DIR/STEM.png, at its own size."),
]
ColorReference = Annotated[
    Path | None,
    typer.Option(
        "--reference",
        metavar="FILE",
        help="A picture whose colors to take, for models trained with references.",
    ),
]
ColorHints = Annotated[
    Path | None,
    typer.Option(
        "--hints",
        metavar="FILE|DIR",
        help="Points or strokes of color on transparency (an RGBA PNG, of the picture's size or shape), for "
        "models trained with hints; a folder has those of each picture as STEM.png.",
    ),
]
Invert = Annotated[
    bool | None,
    typer.Option(
        "--invert/--no-invert",
        help="White lines become black ones; unless told, where they are on black or on transparency.",
        show_default=False,
    ),
]
LineStyle = Annotated[
    str,
    typer.Option(
        "--style",
        metavar="NAME",
        help="Of the lines drawn of colored pictures; unless told, as in training.",
        show_default=False,
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of what is random in sampling.")]


INVERTED = (
    "seen as white lines, and inverted: {} picture(s), such as {}; --no-invert takes pictures as they are"
)


@app.command()
def draw(
    images: DrawnImages,
    output: DrawingFolder,
    style: DrawingStyle = "ink",
    size: DrawingSize = 0,
    compare: Compare = False,
    settings: Settings = None,
    invert: Invert = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Lineart of loose files."""
    from anidata import recipe
    from anidata.imaging.loose.job import Job
    from anidata.lineart import draw as drawing

    nothing: recipe.Document = {}
    document = reduce(recipe.assigned, settings or (), nothing)
    job = Job(drawing.COMMAND, output, overwrite, invert=invert)
    if compare:
        done = drawing.compare_files(images, size, document, job)
    else:
        done = drawing.draw_files(images, style, size, document, job)
    _show_done(done, "drawn", output, as_json=as_json)


@app.command("train-baseline", cls=MayImportPandas)
def train_baseline(
    baseline: Baseline,
    dataset: DatasetFolder,
    run_folder: NewRun,
    preset: Preset = "default",
    settings: TrainingSettings = None,
    init: InitialWeights = "",
    device: DeviceName = Device.AUTO,
    as_json: Json = False,
) -> None:
    """Train a baseline on a data set, or go on with a training."""
    with training_imports():
        from anidata.training import train

    words = list(settings or ())
    if init:
        words.append(f"train.init={json.dumps(init)}")
    order = train.Order(
        baseline=baseline,
        dataset=dataset,
        run=run_folder,
        preset=preset,
        settings=words,
        device=device.value,
    )
    done = train.run(order)
    if done.first:  # of several processes
        show(done.to_json(), as_json, lambda: printing.out(done, lines=True))


@app.command("colorize", cls=MayImportPandas)
def colorize(
    run_folder: FinishedRun,
    images: ColorizedImages,
    output: ColorFolder,
    reference: ColorReference = None,
    hints: ColorHints = None,
    invert: Invert = None,
    style: LineStyle = "",
    seed: Seed = 0,
    model: ModelFile = None,
    device: DeviceName = Device.AUTO,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Color pictures with a trained baseline."""
    from anidata.imaging.loose.job import Job

    with training_imports():
        from anidata.training.inference import files

    request = files.ColorRequest(
        seed=seed, style=style, reference=reference, hints=hints, device=device.value, model=model
    )
    job = Job(files.COMMAND, output, overwrite, (reference,) if reference else (), invert)
    _show_done(files.color_files(run_folder, images, request, job), "colored", output, as_json=as_json)


def _show_done(done: "Done", what: str, output: Path, *, as_json: bool) -> None:
    """Show what a command on loose pictures has done, and end with its exit code. what: drawn, say."""
    from anidata import storage

    where = storage.readable(str(output))
    show(done.to_json(), as_json, lambda: printing.out(_summary(done, f"{what} into {where}")))
    if done.inverted:
        printing.err(INVERTED.format(len(done.inverted), storage.readable(done.inverted[0])))
    for path, why in done.failed.items():
        printing.err(f"{path}: {why}")
    for path, why in done.kept.items():
        printing.err(f"{path}: kept: {why}")
    raise typer.Exit(0 if done.is_whole else 1)


def _summary(done: "Done", what: str) -> str:
    """A sentence of counts: those of zero are left out, but for the first."""
    clauses = {
        "done before": len(done.skipped),
        "kept (a file of yours is there; --overwrite replaces it)": len(done.kept),
        "failed": len(done.failed),
        "left out (anidata's own outputs)": done.left_out,
    }
    more = [f"{count} {clause}" for clause, count in clauses.items() if count]
    return ", ".join([f"{len(done.written)} {what}", *more])
