"""The command ``noob-runners``."""

from noob_runners.command.cli import main

__all__ = ["main"]
