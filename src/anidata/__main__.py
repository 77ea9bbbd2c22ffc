"""`python -m anidata`."""

from anidata.cli import main

if __name__ == "__main__":
    main()
