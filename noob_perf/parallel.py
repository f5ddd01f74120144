"""The parallel experiment as a command: ``python -m noob_perf.parallel``."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from noob_perf.command import (
    ExitCode,
    Presentation,
    add_files,
    conduct,
    consoles,
    positive_float,
    positive_int,
    spell,
)
from noob_perf.experiments.laboratory import Options
from noob_perf.experiments.parallel import QUESTIONS, measure
from noob_perf.measure.cpus import usable_cpus
from noob_perf.report.answers import make_answers_page, make_answers_table, outcomes, warnings

if TYPE_CHECKING:
    from collections.abc import Sequence

DESCRIPTION = (
    "Measure what running in parallel brings and costs, question by question: each runner in a "
    "process of its own beside its reference, in turns, every result checked before its time "
    "counts. Exit code: 0 if every runner was measured or is unsupported, 1 if some failed, 2 for "
    "wrong usage, 3 if nothing was measured."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the experiment's options to a parser."""
    defaults = Options(workers=usable_cpus())
    parser.add_argument(
        "--only", action="append", metavar="QUESTION", choices=list(QUESTIONS), dest="questions",
        help=f"a question to answer; may be given several times (default: all of "
        f"{', '.join(QUESTIONS)})",
    )  # fmt: skip
    parser.add_argument(
        "--workers", type=positive_int, default=defaults.workers, metavar="N",
        help="worker processes, but for the question that fixes them (default: one a usable "
        "processor, here %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--quick", action="store_true",
        help="smaller graphs and 2 repeats: to see that all works, not for figures",
    )  # fmt: skip
    parser.add_argument(
        "--timeout", type=positive_float, default=defaults.timeout_s, metavar="SECONDS",
        help="time that a cell may take, its turns together (default: %(default)g)",
    )  # fmt: skip
    where = add_files(parser)
    where.add_argument("--list", action="store_true", help="list the questions, then stop")


def run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> ExitCode:
    """Do what the parsed arguments ask for."""
    if arguments.list:
        out, _ = consoles()
        for question in QUESTIONS.values():
            out.print(f"{question.name:<12} {question.text}", markup=False, highlight=False)
        return ExitCode.DONE
    names = dict.fromkeys(arguments.questions or QUESTIONS)
    options = Options(arguments.workers, arguments.quick, arguments.timeout)
    workers = "--workers", str(arguments.workers)
    command = spell("noob_perf.parallel", "--only", names, arguments, *workers)
    return conduct(
        arguments,
        parser,
        lambda observer: measure([QUESTIONS[name] for name in names], options, command, observer),
        Presentation(make_answers_table, make_answers_page, warnings, outcomes),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Raises:
        SystemExit: the arguments do not make sense, with exit code 2.
    """
    parser = argparse.ArgumentParser(prog="python -m noob_perf.parallel", description=DESCRIPTION)
    add_arguments(parser)
    return run(parser.parse_args(argv), parser)


if __name__ == "__main__":
    sys.exit(main())
