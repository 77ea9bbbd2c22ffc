"""A training's folder: session, checkpoints, weights, logs, card."""
