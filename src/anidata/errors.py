"""Everything that can go wrong for a reason a user can mend, with the exit code of each.

    AnidataError            1
    ├── RecipeError         2   a setting or a value that the recipe doesn't know
    ├── UnknownPart         2   no such source, style, measure, recipe …
    ├── SourceError         2   a source that isn't there, or that no source kind takes
    ├── QueryError          2   SQL that is no single SELECT over the views
    ├── WeightsError        2   a network's weights that aren't what they should be
    │   └── NoWeights       2   or aren't here: what needs them is skipped
    ├── WorkspaceError      3   the folder isn't a workspace, or a stage before this one hasn't run
    │   ├── FormatError     3   a workspace or data set of another format number
    │   ├── DatasetError    3   a data set that lacks what is asked of it, or is damaged
    │   ├── Locked          3   another run holds the workspace
    │   ├── Untrusted       3   a workspace from elsewhere, that names files of this machine
    │   └── RunError        3   a training's folder of another recipe or model, or damaged
    ├── MissingExtra        4   an optional dependency isn't installed
    ├── StorageError        5   the disk is full, read-only, or fails
    │   └── DamagedError    5   a file of the workspace is cut short, or not what was written there
    ├── WorkerError         6   workers can't be started, or die whatever they are given
    ├── TrainingError       7   training can't go on: no such device
    │   └── Diverged        7   gradients or weights that aren't finite
    └── Interrupted       130   Ctrl-C: what was in flight is finished, the same command goes on

A bad *image* is none of these: `BadImage` becomes a row with its code, and never ends a run.
"""


class AnidataError(Exception):
    """A typed error: its message says what happened, where, and what to type next."""

    exit_code = 1


class RecipeError(AnidataError):
    exit_code = 2


class UnknownPart(AnidataError):
    exit_code = 2


class SourceError(AnidataError):
    exit_code = 2


class QueryError(AnidataError):
    exit_code = 2


class WeightsError(AnidataError):
    exit_code = 2


class NoWeights(WeightsError):
    pass


class WorkspaceError(AnidataError):
    exit_code = 3


class FormatError(WorkspaceError):
    pass


class DatasetError(WorkspaceError):
    pass


class Locked(WorkspaceError):
    pass


class Untrusted(WorkspaceError):
    pass


class RunError(WorkspaceError):
    pass


class MissingExtra(AnidataError):
    exit_code = 4


class StorageError(AnidataError):
    exit_code = 5


class DamagedError(StorageError):
    """A damaged file, by its `path`; the message says what is lost, and which command helps."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(path, message)
        self.path, self.message = path, message

    def __str__(self) -> str:
        return self.message


class WorkerError(AnidataError):
    exit_code = 6


class TrainingError(AnidataError):
    exit_code = 7


class Diverged(TrainingError):
    pass


class Interrupted(AnidataError):
    exit_code = 130


class BadImage(Exception):
    """A picture that can't be used.

    `code` is a word for the `error` column, `message` a sentence about this file.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code, self.message = code, message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
