"""The component lab as a command: ``python -m noob_perf.components``."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from noob_perf.command import ExitCode, Presentation, add_files, conduct, positive_float, spell
from noob_perf.experiments.components import QUESTIONS, measure
from noob_perf.experiments.components.bench import Options
from noob_perf.experiments.components.scale import FULL, QUICK
from noob_perf.report.components import (
    make_components_page,
    make_components_table,
    outcomes,
    warnings,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

DESCRIPTION = (
    "Measure the native components beside their twins in Python and the best peers: each in a "
    "process of its own, in turns, every result checked before its time counts. It ends with the "
    "targets that were set and the figures that were announced, each with what was measured. A "
    "peer that is not installed is a row that says how to get it: pip install "
    "'noob-perf[components]' gets all of them. Where cargo and the sources are at hand, the "
    "scheduler is also measured inside Rust, and by instructions where valgrind is installed. "
    "The whole takes some four minutes where nothing else runs. Exit code: 0 if everything was "
    "measured or is unsupported, 1 if something failed, 2 for wrong usage, 3 if nothing was "
    "measured."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the experiment's options to a parser."""
    parser.add_argument(
        "--component", action="append", metavar="NAME", choices=list(QUESTIONS), dest="names",
        help=f"a component to measure; may be given several times (default: all of "
        f"{', '.join(QUESTIONS)})",
    )  # fmt: skip
    parser.add_argument(
        "--quick", action="store_true",
        help="smaller sizes and 2 repeats, without verdicts: to see that all works",
    )  # fmt: skip
    parser.add_argument(
        "--timeout", type=positive_float, default=Options(FULL).timeout_s, metavar="SECONDS",
        help="time that an implementation may take on one case, its turns together "
        "(default: %(default)g)",
    )  # fmt: skip
    add_files(parser)


def run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> ExitCode:
    """Do what the parsed arguments ask for."""
    names = dict.fromkeys(arguments.names or QUESTIONS)
    options = Options(QUICK if arguments.quick else FULL, arguments.timeout)
    command = spell("noob_perf.components", "--component", names, arguments)
    return conduct(
        arguments,
        parser,
        lambda observer: measure([QUESTIONS[name] for name in names], options, command, observer),
        Presentation(make_components_table, make_components_page, warnings, outcomes),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Raises:
        SystemExit: the arguments do not make sense, with exit code 2.
    """
    parser = argparse.ArgumentParser(prog="python -m noob_perf.components", description=DESCRIPTION)
    add_arguments(parser)
    return run(parser.parse_args(argv), parser)


if __name__ == "__main__":
    sys.exit(main())
