"""Read a finished data set: its description, its samples by number, and as a stream."""
