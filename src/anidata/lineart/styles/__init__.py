"""Lineart styles: one file, one style. The file's name is the style's name.

Each file has
    VERSION: int                raised when the same picture would get other lines
    Config: frozen dataclass    its parameters, with units
    draw(rgb: uint8 (h, w, 3), config: Config) -> uint8 (h, w)
                                black ink (0) on white paper (255); pure
and may have
    SOFT = True                 its lines are gray by nature; without it there is only ink and paper
                                by default, and a flat color is blank paper
    INEXACT = True              its last bits depend on the processor: manifest and card say so
    ready(config: Config)       raises a typed error where what it needs beside the picture isn't there
    ARGUMENT: str               the field of Config that STYLE:REST sets; such a style needs it
    PIN: str                    the field that tells which thing the argument names, empty until settled
    settle(config: Config) -> Config
                                the config with what lies outside the recipe pinned in it, by absolute path
                                and SHA-256; `draw` is then pure but for that file
The docstring has the formula and its source.
"""
