#!/usr/bin/env python3
"""The command line: `./send.py --help`."""

import os
import sys
from pathlib import Path

VENV = Path(__file__).resolve().parent / ".venv"


def start() -> None:
    """Run the command line, under .venv's Python unless another environment is active."""
    python = VENV / "bin" / "python"
    # The system's Python may hold some of the packages, so it is not asked whether it does.
    if sys.prefix == sys.base_prefix and python.exists():
        os.execv(python, [python, *sys.argv])  # noqa: S606
    try:
        from newsletter.cli import main

        main()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "newsletter":
            raise
        sys.exit(f"send.py: the package {error.name} is not installed: run `make setup`")


if __name__ == "__main__":
    start()
