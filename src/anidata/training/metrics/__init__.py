"""Metrics: one file, one figure, and the file's name is the metric's name.

A picture's value depends on nothing but that picture and its truth. Each file has
    VERSION: int                                       raised when the same pictures would get another value
    BETTER: "higher" | "lower"                         which way is up
    metric(output: Tensor (b, 3, h, w), truth: Tensor (b, 3, h, w)) -> Tensor (b,)
                                                       sRGB in [-1, 1]; pure; a value for each picture
The docstring says what is measured, its unit and range, and its source. Means and intervals are the caller's.
"""
