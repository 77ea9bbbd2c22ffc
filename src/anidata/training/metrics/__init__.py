"""Metrics: one file, one figure, and the file's name is the metric's name.

A picture's value depends on nothing but that picture and its truth. Each file has
    VERSION: int                                       raised when the same pictures would get another value
    BETTER: "higher" | "lower"                         which way is up
    metric(output: Tensor (b, 3, h, w), truth: Tensor (b, 3, h, w)) -> Tensor (b,)
                                                       sRGB in [-1, 1]; pure; a value for each picture
The value is that of the uint8 pictures, 0 for black to 255 for white, which -1 and 1 stand for: a formula
that isn't indifferent to a shift is given values that begin at 0. test_metrics.py holds each file to an
implementation that reads uint8.
The docstring says what is measured, its unit and range, and its source. Means and intervals are the caller's.
"""
