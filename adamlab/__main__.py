"""`adamlab`, and `python -m adamlab`: the command line, which Ctrl-C ends while it is being loaded, too."""

import sys


def main():
    """Run the command line."""
    try:
        from adamlab.cli import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
