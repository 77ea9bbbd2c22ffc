"""Samples as batches of tensors: loading, augmentation, conditions."""
