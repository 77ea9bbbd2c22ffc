"""Shard: pack the pairs into the final data set."""
