"""The command ``noob-perf``: one subcommand an experiment."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from noob_perf import suite

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the subcommand that the arguments name and return its exit code.

    Raises:
        SystemExit: the arguments do not make sense, with exit code 2.
    """
    parser = argparse.ArgumentParser(
        prog="noob-perf", description="The laboratory for NOOB runners."
    )
    commands = parser.add_subparsers(dest="experiment", required=True)
    measured = commands.add_parser(
        "suite", help="measure runners on one graph", description=suite.DESCRIPTION
    )
    suite.add_arguments(measured)
    return suite.run(parser.parse_args(argv), measured)
