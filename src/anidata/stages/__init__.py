"""Stages: one folder, one stage.

`registry.STAGES` has their names, in the order in which they run; nothing else lists them.

Each folder's face (its `__init__`) has
    SETTINGS: str
        its table in recipes and --set, such as clean
    Config: frozen dataclass
        the settings of that table
    run(job: Job) -> Counter[str]
        do what is left to do, and return it by counts; nothing where all is up to date
    is_up_to_date(job: Job) -> bool
        whether `run` would do nothing
and may have
    DECISION: Decision
        its decision about pictures: table, columns, reasons (see anidata.catalog.decisions)
    decide_again(job: Job) -> None
        decide quickly, by what is known already, after an earlier stage has decided
    thresholds(views, job) -> list[Threshold]
        the limits in force on columns, to be drawn into histograms
    has_run(job: Job) -> bool
        whether it ever has; without it: whether there is a table of decisions
    waiting(job: Job) -> str
        what is open of it, in words; empty: nothing
    spelled(table, settings) -> table
        its table of a recipe, with what is written short written out; settings: what --set names
    anchored(table, folder) -> table
        that table with its relative paths made absolute, below a folder
    pinned(config: Config) -> Config
        the config with what lies outside the recipe pinned in it
    portable(table) -> table
        the table without paths of this machine and addresses of people, nor switches that are off and that
        earlier versions didn't have, for a manifest
The command is the folder's name with dashes; where cli doesn't have it, it is made from the face. The
docstring says what it does.
"""
