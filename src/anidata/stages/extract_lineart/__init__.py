"""Extract lineart: fit the kept pictures and draw their lineart, the pairs."""
