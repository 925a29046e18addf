"""`python -m hefesto_api` is the `hefesto` command."""

from hefesto_api.cli import main

if __name__ == "__main__":
    main()
