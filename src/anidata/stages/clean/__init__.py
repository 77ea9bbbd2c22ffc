"""Clean: decide which pictures are good enough, by thresholds on their columns."""
