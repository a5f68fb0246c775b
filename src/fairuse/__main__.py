"""Runs the command line: `python -m fairuse`."""

from fairuse.entry.cli import main

main()
