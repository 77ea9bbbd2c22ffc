"""Evaluation of trained baselines: what they get, how sure that is, and what costs nothing gets."""
