"""Measures: one file, one column.

The file's name is the column's name; the value belongs to the picture's bytes. Each file has
    TYPE: pyarrow.DataType             of the column
    VERSION: int                       raised when the same picture would get another value: that column alone
                                       is recomputed
    measure(image: Image) -> value     pure; deterministic; never None for a decoded picture
The docstring says what is measured, its unit and range, and its source.
"""
