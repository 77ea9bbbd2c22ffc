"""Color pictures with a trained baseline."""
