"""The command line: `python send.py --help`."""

from newsletter.cli import main

if __name__ == "__main__":
    main()
