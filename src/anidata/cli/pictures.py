"""The commands on loose pictures and baselines: draw, train-baseline, colorize."""

import json
import sys
from functools import reduce
from pathlib import Path
from typing import Annotated

import typer
import typer.core

from anidata.cli.common import MayImportPandas, app, show, training_imports
from anidata.cli.options import Device, DeviceName, Json, Settings

DrawnImages = Annotated[list[Path], typer.Argument(metavar="IMAGE…")]
DrawingFolder = Annotated[
    Path,
    typer.Option("-o", "--output", metavar="DIR", help="Each picture's lineart becomes DIR/STEM.png."),
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


@app.command()
def draw(
    images: DrawnImages,
    output: DrawingFolder,
    style: DrawingStyle = "ink",
    size: DrawingSize = 0,
    compare: Compare = False,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Lineart of loose files."""
    from anidata import recipe
    from anidata.lineart import draw as drawing

    nothing: recipe.Document = {}
    document = reduce(recipe.assigned, settings or (), nothing)
    if compare:
        done = drawing.compare_files(images, output, size, document)
    else:
        done = drawing.draw_files(images, output, style, size, document)
    show(done.to_json(), as_json, lambda: print(f"{len(images) - len(done.failed)} drawn into {output}"))
    for path, why in done.failed.items():
        print(f"{path}: {why}", file=sys.stderr)
    raise typer.Exit(1 if done.failed else 0)


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
        show(done.to_json(), as_json, lambda: print(done))


@app.command("colorize", cls=MayImportPandas)
def colorize(
    run_folder: FinishedRun,
    images: ColorizedImages,
    output: ColorFolder,
    reference: ColorReference = None,
    style: LineStyle = "",
    seed: Seed = 0,
    device: DeviceName = Device.AUTO,
    as_json: Json = False,
) -> None:
    """Color pictures with a trained baseline."""
    with training_imports():
        from anidata.training.inference import files

    request = files.ColorRequest(seed, style, reference, device.value)
    done = files.color_files(run_folder, images, output, request)
    show(done.to_json(), as_json, lambda: print(f"{len(done.written)} colored into {output}"))
    for path, why in done.failed.items():
        print(f"{path}: {why}", file=sys.stderr)
    raise typer.Exit(1 if done.failed else 0)
