"""The command ``noob-perf``: one subcommand an experiment."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from noob_perf import components, parallel, suite

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
    for name, experiment, text in (
        ("suite", suite, "measure runners on one graph"),
        ("parallel", parallel, "measure what running in parallel brings and costs"),
        ("components", components, "measure the native components beside their peers"),
    ):
        command = commands.add_parser(name, help=text, description=experiment.DESCRIPTION)
        experiment.add_arguments(command)
        command.set_defaults(run=partial(experiment.run, parser=command))
    arguments = parser.parse_args(argv)
    code: int = arguments.run(arguments)
    return code
