"""The parallel experiment's results, shown: a table of figures in the terminal, and a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from noob_perf.report import units
from noob_perf.report.page import environment
from noob_perf.results import Outcome, Quantity

if TYPE_CHECKING:
    from rich.console import RenderableType

    from noob_perf.results import Figure, ParallelResult

WRITERS = {
    Quantity.SECONDS: units.seconds,
    Quantity.TIMES: units.times,
    Quantity.SHARE: units.number,
    Quantity.BYTES: units.memory,
    Quantity.BYTES_PER_SECOND: lambda value: f"{units.number(value / 1e6)} MB/s",
    Quantity.PER_SECOND: lambda value: f"{units.number(value)}/s",
    Quantity.COUNT: units.number,
    Quantity.EXPONENT: units.number,
}
STYLES = {
    "met": "green", "missed": "red", "undecided": "yellow", "not measured": "yellow", "": ""
}  # fmt: skip
_WORDS = {True: "met", False: "missed", None: "undecided"}


def make_answers_table(result: ParallelResult) -> RenderableType:
    """Lay out the figures, question by question, and the reasons of what is missing."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("figure", overflow="fold")
    for name in ("measured", "interval", "asked"):
        table.add_column(name, justify="right", overflow="fold")
    table.add_column("", overflow="fold")
    for answer in result.answers:
        table.add_row(Text(answer.question, style="bold"))
        for figure in answer.figures:
            word = verdict(figure)
            table.add_row(
                f"  {figure.name}", value(figure), interval(figure), asked(figure),
                Text(word, style=STYLES[word]),
            )  # fmt: skip
    notes = [Text(f"{name}: {reason}") for name, reason in reasons(result)]
    note = (
        "Medians, ratios of pairs, and slopes, each with its interval at the confidence in "
        "brackets; the more repeats, the narrower. Met or missed: by the worse or the better end "
        "of the interval; else undecided."
    )
    return Group(table, Text(), *notes, Text(note, style="dim"))


def make_answers_page(result: ParallelResult) -> str:
    """Lay out the same as one self-contained HTML document, every value escaped."""
    return environment().get_template("parallel.html.j2").render(
        result=result,
        machine=result.machine,
        warnings=warnings(result),
        reasons=reasons(result),
        value=value,
        interval=interval,
        asked=asked,
        verdict=verdict,
    )  # fmt: skip


def value(figure: Figure) -> str:
    """Write a figure's estimate."""
    if figure.estimate is None:
        return "-"
    return WRITERS[figure.quantity](figure.estimate.value)


def interval(figure: Figure) -> str:
    """Write its interval and the confidence, if there is one."""
    if figure.estimate is None or not figure.estimate.confidence:
        return ""
    write = WRITERS[figure.quantity]
    low, high = write(figure.estimate.low), write(figure.estimate.high)
    return f"{low} to {high} ({units.percent(figure.estimate.confidence)})"


def asked(figure: Figure) -> str:
    """Write what it was asked to be."""
    write = WRITERS[figure.quantity]
    if figure.at_least is not None:
        return f"at least {write(figure.at_least)}"
    return f"at most {write(figure.at_most)}" if figure.at_most is not None else ""


def verdict(figure: Figure) -> str:
    """Say in a word whether it is what it was asked to be; nothing if nothing was asked."""
    if not figure.asked:
        return ""
    if figure.estimate is None:
        return "not measured"
    return _WORDS[figure.met]


def reasons(result: ParallelResult) -> list[tuple[str, str]]:
    """Say what is missing and why: names, those with the same reason together, and the reason."""
    found: dict[str, dict[str, None]] = {}
    for answer in result.answers:
        failed = [cell for cell in answer.cells if cell.run.outcome is not Outcome.SUCCESS]
        for cell in failed:
            names = found.setdefault(f"{cell.run.outcome}: {cell.run.reason}", {})
            names[f"{answer.name}/{cell.label}"] = None
        for figure in answer.figures:
            if figure.estimate is None and not any(c.run.reason in figure.reason for c in failed):
                found.setdefault(figure.reason, {})[f"{answer.name}/{figure.name}"] = None
    return [("; ".join(names), reason) for reason, names in found.items()]


def warnings(result: ParallelResult) -> list[str]:
    """Say what speaks against trusting the figures; one sentence each."""
    found = []
    if result.interrupted:
        found.append("The run was interrupted: what was measured until then is shown.")
    if result.machine.native_build != "release":
        found.append(f"Native components: {result.machine.native_build}, not a release build.")
    if " --quick" in result.command:
        found.append("A quick run: smaller graphs and few repeats, not for figures.")
    found += [
        f"{answer.name}, {cell.label}: {cell.run.reason}."
        for answer in result.answers
        for cell in answer.cells
        if cell.run.outcome is Outcome.SUCCESS and cell.run.reason
    ]
    return found


def outcomes(result: ParallelResult) -> list[Outcome]:
    """The outcomes of all cells."""
    return [cell.run.outcome for answer in result.answers for cell in answer.cells]
