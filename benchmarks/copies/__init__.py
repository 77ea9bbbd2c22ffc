"""Copies as people make them, from originals of free art; and how a deduplication does on them.

transform.py says what a transform states of itself; encoding, colors, overlays, frames, turns, faces and
chains hold the transforms by what they change, all.py the table of them. originals.py chooses pictures,
making.py writes their copies, running.py runs tools over them, scoring.py counts, tables.py prints.
"""
