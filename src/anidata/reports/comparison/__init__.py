"""The report of an evaluation, from its document alone: a page, Markdown, CSV and JSON."""
