"""A small network that draws lines: its data, training, scores, and the file that is shipped."""
