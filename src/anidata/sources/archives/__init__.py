"""Archives as lists of members: zip, tar, 7z, under bounds on what they may unpack to."""
