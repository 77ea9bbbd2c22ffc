"""Choose the frames of a video that are worth a picture, in a program of its own."""
