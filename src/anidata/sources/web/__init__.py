"""Lists and files by URL, and gallery-dl as a program of its own."""
