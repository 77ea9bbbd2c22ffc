"""The commands: parse, build the config, call the stage, show its summary. Results go to stdout, progress and notes to stderr."""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

import anidata
from anidata.errors import AnidataError, Interrupted, MissingExtra
from anidata.lean import slim

if TYPE_CHECKING:
    from anidata.engine import Engine
    from anidata.pipeline import Recipe
    from anidata.workspace import Workspace

GOES_ON = "stopped at once. The same command goes on."


class Commands(typer.core.TyperGroup):
    """The commands, of which Ctrl-C makes a typed error where the engine hasn't."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        try:
            return super().make_context(*args, **extra)
        except KeyboardInterrupt:
            raise Interrupted(GOES_ON) from None

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # click's own context is the base of typer's
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted(GOES_ON) from None
        except AnidataError:
            raise
        except Exception as error:
            if _is_interrupt(error):
                raise Interrupted(GOES_ON) from error
            raise


app = typer.Typer(
    name="anidata", cls=Commands, help=anidata.__doc__, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False
)

Work = Annotated[Path, typer.Argument(metavar="WORK", help="The workspace's folder.")]
Sources = Annotated[list[str], typer.Argument(metavar="SOURCE…", help="A folder, an archive, or KIND:REST such as sample:")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Workers = Annotated[int, typer.Option("--workers", min=0, help="Worker processes; 0: one for each processor.", show_default=False)]
RecipeName = Annotated[
    str | None, typer.Option("--recipe", metavar="NAME|PATH", help="Start from this recipe, not from the workspace's last one.")
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="STAGE.KEY=VALUE", help="Change one setting; may be given many times.")
]
Limit = Annotated[
    int, typer.Option("--limit", min=0, metavar="N", help="Look at no more than N pictures in all: for a try-out.", show_default=False)
]
Refresh = Annotated[bool, typer.Option("--refresh", help="Look again at files and sidecars that have changed; ask URLs for what has.")]


class Form(StrEnum):
    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class Shelf(StrEnum):
    SOURCES = "sources"
    MEASURES = "measures"
    STYLES = "styles"
    METRICS = "metrics"
    MODELS = "models"
    PIPELINES = "pipelines"


class Device(StrEnum):
    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


DeviceName = Annotated[Device, typer.Option("--device", help="What to compute on; auto: a GPU where there is one.")]


def main() -> None:
    """The entry point: a typed error is one line on stderr and its exit code."""
    if not {"train-baseline", "colorize"} & set(sys.argv[1:2]):  # what those import may ask for it
        slim()
    try:
        app()
    except KeyboardInterrupt:  # before there was a command
        print(f"Interrupted: {GOES_ON}", file=sys.stderr)
        sys.exit(Interrupted.exit_code)
    except AnidataError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether a Ctrl-C is behind an error: DuckDB wraps what is raised while it calls Python, and tells of it in its text alone."""
    return error is not None and ("KeyboardInterrupt" in str(error) or _is_interrupt(error.__cause__))


def _version(wanted: bool) -> None:
    if wanted:
        print(f"anidata {anidata.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    pass


@app.command()
def run(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe by name (see: anidata list pipelines) or path.")],
    work: Work,
    sources: Annotated[list[str] | None, typer.Argument(metavar="[SOURCE…]", help="In place of the recipe's sources.")] = None,
    dataset: Annotated[Path | None, typer.Option("--dataset", help="Where the data set goes; WORK/dataset unless told.")] = None,
    limit: Limit = 0,
    refresh: Refresh = False,
    workers: Workers = 0,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """All stages of a recipe: ingest, clean, dedup, extract-lineart, shard."""
    from anidata import pipeline, report

    with _held(work, recipe, settings, sources or (), create=True) as (workspace, chosen), _engine(workers) as engine:
        place = dataset or workspace.folder("dataset")
        request = pipeline.Request(chosen.sources, limit, refresh)
        counts = pipeline.run(workspace, chosen, engine, request, place)
        summary = report.after_run(workspace, place, changed=any(counts.values()))
    _show({"done": counts, **summary.to_json()}, as_json, lambda: report.show(summary, changed=any(counts.values())))


@app.command()
def ingest(
    work: Work, sources: Annotated[list[str] | None, typer.Argument(metavar="SOURCE…", help=Sources.__metadata__[0].help)] = None,
    limit: Limit = 0, refresh: Refresh = False,
    retry: Annotated[str, typer.Option("--retry", metavar="failed|CODE", help="Ask again for the URLs that failed, or failed with this code.", show_default=False)] = "",
    url_column: Annotated[str | None, typer.Option("--url-column", metavar="NAME", help="The column of a list that holds its URLs.")] = None,
    line_column: Annotated[str | None, typer.Option("--line-column", metavar="NAME", help="The column of a list or table that holds the artist's own lineart, or its URLs.")] = None,
    ignore_opt_out: Annotated[bool | None, typer.Option("--ignore-opt-out/--honor-opt-out", help="Take pictures whose hosts forbid it; the recipe and the rows say so.")] = None,
    allow_private: Annotated[bool | None, typer.Option("--allow-private/--public-only", help="Ask hosts in private networks and on this machine too.")] = None,
    workers: Workers = 0, recipe: RecipeName = None, settings: Settings = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Add sources: read every new picture once. Known sightings are skipped. Without a source: finish what is begun."""
    from anidata import pipeline
    from anidata.stages import ingest as stage

    given = {
        "url_column": url_column,
        "line_column": line_column,
        "fetch.ignore_opt_out": ignore_opt_out,
        "fetch.allow_private": allow_private,
    }
    settings = [*(settings or ()), *(f"ingest.{name}={json.dumps(value)}" for name, value in given.items() if value is not None)]
    with _held(work, recipe, settings, sources or (), create=bool(sources), add=True) as (workspace, chosen), _engine(workers) as engine:
        counts = stage.run(workspace, chosen.ingest, engine, pipeline.Request(tuple(sources or ()), limit, refresh, retry))
        _stage_summary(workspace, "ingest", counts, as_json)


@app.command()
def clean(
    work: Work,
    explain: Annotated[str, typer.Option("--explain", metavar="KEY|FILE", help="Decide nothing: show a picture's measures against the thresholds.", show_default=False)] = "",
    sweep: Annotated[str, typer.Option("--sweep", metavar="RULE", help="Decide nothing: what other thresholds of a rule would cost.", show_default=False)] = "",
    recipe: RecipeName = None, settings: Settings = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Decide which pictures are good enough, by thresholds on their columns."""
    from anidata import pipeline
    from anidata.stages import clean as stage

    if explain or sweep:
        _weigh(work, recipe, settings, explain, sweep, as_json=as_json)
        return
    with _held(work, recipe, settings) as (workspace, chosen):
        _stage_summary(workspace, "clean", stage.run(workspace, chosen.clean, pipeline.target(chosen)), as_json)


def _weigh(work: Path, recipe: str | None, settings: list[str] | None, explain: str, sweep: str, *, as_json: bool) -> None:
    """Look at clean's rules; nothing is decided, nor are the settings remembered."""
    from anidata import pipeline, report
    from anidata.stages import weighing
    from anidata.workspace import open_workspace

    workspace = open_workspace(work)
    chosen = pipeline.resolve(workspace, recipe, settings or ())
    words = workspace, chosen.clean, pipeline.target(chosen)
    rules, costs = weighing.explain(*words, explain) if explain else {}, weighing.sweep(*words, sweep) if sweep else []
    _show(weighing.to_json(rules, costs), as_json, lambda: report.show_weighed(rules, costs))


@app.command()
def dedup(work: Work, workers: Workers = 0, recipe: RecipeName = None, settings: Settings = None, as_json: Json = False) -> None:
    """Find copies, and keep the best of each cluster."""
    from anidata.stages import dedup as stage

    with _held(work, recipe, settings) as (workspace, chosen), _engine(workers) as engine:
        _stage_summary(workspace, "dedup", stage.run(workspace, chosen.dedup, chosen.ingest, engine), as_json)


@app.command("extract-lineart")
def extract_lineart(
    work: Work,
    style: Annotated[list[str] | None, typer.Option("--style", metavar="NAME", help="A style (see: anidata list styles), onnx:MODEL.onnx, mix or artist; may be given many times.")] = None,
    size: Annotated[int | None, typer.Option("--size", min=1, help="Side in px; in `bucket`, of the square of the same area.")] = None,
    fit: Annotated[str | None, typer.Option("--fit", metavar="pad|crop|bucket")] = None,
    workers: Workers = 0, recipe: RecipeName = None, settings: Settings = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Fit the kept pictures and draw their lineart: the pairs."""
    from anidata.stages import extract_lineart as stage

    given = {"styles": json.dumps(style) if style else None, "size": size, "fit": fit}
    settings = [*(settings or ()), *(f"lineart.{name}={value}" for name, value in given.items() if value is not None)]
    with _held(work, recipe, settings) as (workspace, chosen), _engine(workers) as engine:
        _stage_summary(workspace, "extract-lineart", stage.run(workspace, chosen.lineart, chosen.ingest, engine), as_json)


@app.command()
def shard(
    work: Work,
    dataset: Annotated[Path | None, typer.Argument(metavar="[DATASET]", help="The data set's folder; WORK/dataset unless told.")] = None,
    reshard: Annotated[bool, typer.Option("--reshard", help="Choose the number of shards anew.")] = False,
    workers: Workers = 0, recipe: RecipeName = None, settings: Settings = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Pack the pairs into the final data set."""
    from anidata import pipeline
    from anidata.stages import shard as stage

    with _held(work, recipe, settings) as (workspace, chosen), _engine(workers) as engine:
        plan = pipeline.shard_plan(workspace, chosen, dataset or workspace.folder("dataset"))
        _stage_summary(workspace, "shard", stage.run(plan, engine, reshard=reshard), as_json)


@app.command()
def audit(
    datasets: Annotated[list[Path], typer.Argument(metavar="DATASET…", help="Folders of WebDataset tars, of anidata or anyone.")],
    workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Check finished shards for integrity and leakage; exit 0 only if they are sound."""
    from anidata import audit as check
    from anidata import report

    with _engine(workers) as engine:
        found = check.run(datasets, check.Config(), engine)
    _show(found.to_json(), as_json, lambda: report.show_audit(found))
    raise typer.Exit(0 if found.sound else 1)


@app.command()
def query(
    work: Work,
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT over the views records, images, pairs, samples and fetches.")],
    form: Annotated[Form, typer.Option("--format", help="How the answer is written.")] = Form.TABLE,
) -> None:
    """Ask the catalog; nothing else can be read or written by it."""
    from anidata import report
    from anidata.catalog import Sealed
    from anidata.workspace import open_workspace

    with Sealed(open_workspace(work)) as views:
        report.write_table(views.ask(sql), form.value)


@app.command()
def status(work: Work, as_json: Json = False) -> None:
    """What is there, what is stale, failed or missing, the next command, the disk used."""
    from anidata import pipeline, report
    from anidata import status as look
    from anidata.workspace import open_workspace

    workspace = open_workspace(work)
    found = look.measure(workspace, pipeline.resolve(workspace, None, ()))
    _show(found.to_json(), as_json, lambda: report.show_status(workspace, found))


@app.command("report")
def report_page(
    work: Work,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where the page goes; WORK/report.html unless told.")] = None,
    workers: Workers = 0,
    as_json: Json = False,
) -> None:  # fmt: skip
    """One static page: the funnel, histograms, the rejected, the kept and the duplicates, to look at without a network."""
    from anidata import page, pipeline
    from anidata.workspace import open_workspace

    workspace = open_workspace(work)
    with _engine(workers) as engine:
        done = page.write(workspace, pipeline.resolve(workspace, None, ()), engine, output or workspace.path / "report.html")
    _show(done.to_json(), as_json, lambda: print(done))


@app.command()
def find(
    work: Work,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE…")],
    most: Annotated[int, typer.Option("--most", min=1, help="Records shown for each picture.")] = 10,
    recipe: RecipeName = None, settings: Settings = None, as_json: Json = False,
) -> None:  # fmt: skip
    """The pictures of a workspace that loose files are copies of, or look like: relation and distance."""
    from anidata import finding, pipeline, report
    from anidata.workspace import open_workspace

    workspace = open_workspace(work)
    found = finding.find(workspace, pipeline.resolve(workspace, recipe, settings or ()), images, most)
    _show([answer.to_json() for answer in found], as_json, lambda: report.show_found(found))
    raise typer.Exit(1 if any(answer.error for answer in found) else 0)


@app.command()
def draw(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE…")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Each picture's lineart becomes DIR/STEM.png.")],
    style: Annotated[str, typer.Option("--style", metavar="NAME", help="A style (see: anidata list styles), or onnx:MODEL.onnx.")] = "ink",
    size: Annotated[int, typer.Option("--size", min=0, help="Long side in px; 0: the picture's own.", show_default=False)] = 0,
    compare: Annotated[bool, typer.Option("--compare", help="Draw every style instead, all on one sheet: DIR/styles.png.")] = False,
    settings: Settings = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Lineart of loose files."""
    from anidata import loose, recipe

    nothing: recipe.Document = {}
    document = reduce(recipe.assigned, settings or (), nothing)
    done = loose.compare_files(images, output, size, document) if compare else loose.draw_files(images, output, style, size, document)
    _show(done.to_json(), as_json, lambda: print(f"{len(images) - len(done.failed)} drawn into {output}"))
    for path, why in done.failed.items():
        print(f"{path}: {why}", file=sys.stderr)
    raise typer.Exit(1 if done.failed else 0)


@app.command("train-baseline")
def train_baseline(
    baseline: Annotated[str, typer.Argument(metavar="NAME|PATH", help="A model file by name (see: anidata list models) or path.")],
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A finished data set's folder, such as WORK/dataset.")],
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="The training's folder; the same command goes on with it.")],
    preset: Annotated[str, typer.Option("--preset", metavar="P", help="One of the model file's presets.")] = "default",
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="train.KEY=VALUE|model.KEY=VALUE", help="Change one setting; may be given many times.")] = None,
    init: Annotated[str, typer.Option("--init", metavar="RUN|FILE", help="Start from the weights of a run or .safetensors file, where they fit.", show_default=False)] = "",
    device: DeviceName = Device.AUTO, as_json: Json = False,
) -> None:  # fmt: skip
    """Train a baseline on a data set, or go on with a training."""
    with _training():
        from anidata.training import train

    words = [*(settings or ()), *([f"train.init={json.dumps(init)}"] if init else [])]
    done = train.run(train.Order(baseline, dataset, run_folder, preset, words, device.value))
    if done.first:  # of several processes
        _show(done.to_json(), as_json, lambda: print(done))


@app.command()
def colorize(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a training.")],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE…", help="Line art or colored pictures; folders too.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Each picture becomes DIR/STEM.png, at its own size.")],
    reference: Annotated[Path | None, typer.Option("--reference", metavar="FILE", help="A picture whose colors to take, for models trained with references.")] = None,
    style: Annotated[str, typer.Option("--style", metavar="NAME", help="Of the lines drawn of colored pictures; unless told, as in training.", show_default=False)] = "",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of what is random in sampling.")] = 0,
    device: DeviceName = Device.AUTO, as_json: Json = False,
) -> None:  # fmt: skip
    """Color pictures with a trained baseline."""
    with _training():
        from anidata.training import coloring

    done = coloring.color_files(run_folder, images, output, coloring.Wish(seed, style, reference, device.value))
    _show(done.to_json(), as_json, lambda: print(f"{len(done.written)} colored into {output}"))
    for path, why in done.failed.items():
        print(f"{path}: {why}", file=sys.stderr)
    raise typer.Exit(1 if done.failed else 0)


@app.command("list")
def list_parts(shelf: Annotated[Shelf, typer.Argument(help="Which shelf.")], as_json: Json = False) -> None:
    """The parts of a shelf, one line each."""
    from anidata import report

    found = report.shelf(shelf.value)
    _show(found, as_json, lambda: report.show_pairs(found))


@contextmanager
def _held(
    work: Path, recipe: str | None, settings: list[str] | None, sources: Sequence[str] = (), *, create: bool = False, add: bool = False
) -> "Iterator[tuple[Workspace, Recipe]]":
    """The workspace, locked for this command, with its resolved recipe, which it will remember. `add`: the sources join those it knows."""
    from anidata import pipeline
    from anidata import recipe as toml
    from anidata import workspace as folder

    if create:
        pipeline.resolve(None, recipe, settings or (), sources)  # a typing error shouldn't leave a folder behind
        pipeline.check_sources(sources)
    workspace = folder.create(work) if create else folder.open_workspace(work)
    with workspace.locked():
        chosen = pipeline.resolve(workspace, recipe, settings or (), sources, add=add)
        workspace.remember(toml.dump(chosen))
        yield workspace, chosen


@contextmanager
def _training() -> Iterator[None]:
    """Import within this. Raises: MissingExtra: what the block imports isn't installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "anidata":
            raise
        raise MissingExtra(f"training needs {error.name}, which isn't installed. Install it with: pip install 'anidata[train]'") from error


@contextmanager
def _engine(workers: int) -> "Iterator[Engine]":
    from anidata.engine import Engine

    with Engine(workers) as engine:
        yield engine


def _stage_summary(workspace: "Workspace", stage: str, counts: Counter[str], as_json: bool) -> None:
    from anidata import report

    summary = report.after_stage(workspace)
    _show({"done": counts, **summary.to_json()}, as_json, lambda: report.show_stage(stage, counts, summary))


def _show(value: Any, as_json: bool, otherwise: Any) -> None:
    if as_json:
        print(json.dumps(value, ensure_ascii=False))
    else:
        otherwise()
