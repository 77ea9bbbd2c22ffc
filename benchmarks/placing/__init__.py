"""What belongs together though no whole picture is a copy of another: additions, cuts, pages, turns.

pages.py, additions.py and cases.py make the pictures, piles.py keeps them in files, linking.py runs anidata
and other tools over piles of them, tables.py prints. unrelated.py and furniture.py look for links that are
wrong, splitting.py for drawings that end in two splits, million.py measures the join of places.
"""
