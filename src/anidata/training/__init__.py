"""Training and evaluating baselines: PyTorch begins here, and nowhere else in the package."""
