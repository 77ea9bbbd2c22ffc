"""Map a function over parts in worker processes: isolation, limits, back-pressure, progress, Ctrl-C."""
