"""`python -m anidata`."""

from anidata.cli.entry import main

if __name__ == "__main__":
    main()
