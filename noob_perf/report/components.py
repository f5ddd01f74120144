"""The component lab's results, shown: tables in the terminal, and a page with charts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from noob_perf.report import units
from noob_perf.report.answers import STYLES, WRITERS, asked, interval, value, verdict
from noob_perf.report.charts import strips_of
from noob_perf.report.lines import Series, line_chart
from noob_perf.report.page import environment
from noob_perf.results import LEAST_SIZES, Outcome, Quantity, Verdict
from noob_perf.stats import median_interval, ratio_interval

if TYPE_CHECKING:
    from rich.console import RenderableType

    from noob_perf.report.charts import StripChart
    from noob_perf.report.lines import LineChart
    from noob_perf.results import (
        ComponentAnswer,
        ComponentsResult,
        Figure,
        Headline,
        Timing,
    )
    from noob_perf.stats import Estimate

_OURS = "native"
_VERDICTS = {
    Verdict.REACHED: "green",
    Verdict.PROJECTED: "yellow",
    Verdict.NOT_REACHED: "red",
    Verdict.UNDECIDED: "yellow",
    Verdict.NOT_COMPARABLE: "yellow",
    Verdict.NOT_MEASURED: "yellow",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """One operation on cases of a kind, at all sizes, by all implementations."""

    case: str
    operation: str
    quantity: Quantity
    timings: tuple[Timing, ...]

    @property
    def sizes(self) -> list[int]:
        """At which anything was measured."""
        return sorted({timing.size for timing in self.timings})

    def at(self, size: int) -> list[Timing]:
        """What was measured at a size."""
        return [timing for timing in self.timings if timing.size == size]


def operations(answer: ComponentAnswer) -> list[Shown]:
    """Gather what was measured by case and operation, in the order in which it was."""
    found: dict[tuple[str, str], list[Timing]] = {}
    for timing in answer.timings:
        if timing.measured:
            found.setdefault((timing.case, timing.operation), []).append(timing)
    return [
        Shown(case, operation, timings[0].quantity, tuple(timings))
        for (case, operation), timings in found.items()
    ]


def make_components_table(result: ComponentsResult) -> RenderableType:
    """Lay out medians, targets, the reasons of what is missing, and the claims."""
    parts: list[RenderableType] = []
    for answer in result.answers:
        parts += [_medians(answer), Text()]
    parts += [_targets(result), Text()]
    parts += [Text(f"{name}: {reason}") for name, reason in reasons(result)]
    note = (
        "Medians of the whole operation at its largest size; with --html or --json: every size, "
        "every interval, every repeat. Growth: the exponent of native's time over the size."
    )
    parts.append(Text(note, style="dim"))
    if not result.headlines:
        return Group(*parts)
    note = (
        "A verdict is by the whole interval: met or reached by its worse end, missed or not "
        "reached by its better one, else undecided."
    )
    return Group(*parts, Text(note, style="dim"), Text(), _claims(result))


def _medians(answer: ComponentAnswer) -> Table:
    names = dict.fromkeys(timing.implementation for timing in answer.timings if timing.measured)
    table = Table(
        title=answer.question, title_justify="left", title_style="bold", box=None,
        padding=(0, 2, 0, 0), pad_edge=False,
    )  # fmt: skip
    table.add_column("operation", overflow="fold")
    for name in names:
        table.add_column(name, justify="right", overflow="fold")
    table.add_column("growth", justify="right", overflow="fold")
    for shown in operations(answer):
        size = shown.sizes[-1]
        medians = {timing.implementation: _median(timing).value for timing in shown.at(size)}
        best = min(medians.values())
        ours = [timing for timing in shown.at(size) if timing.implementation == _OURS]
        grows = growth_of(answer, ours[0]) if ours else None
        table.add_row(
            f"{shown.case} of {size:,}: {shown.operation}",
            *(
                Text(
                    WRITERS[shown.quantity](medians[name]) if name in medians else "-",
                    style="bold" if medians.get(name) == best else "",
                )
                for name in names
            ),
            value(grows) if grows else "",
        )
    return table


def _targets(result: ComponentsResult) -> Table:
    table = _table("What was asked", "target", "measured", "interval", "asked", "beside it")
    table.add_column("", overflow="fold")
    for answer in result.answers:
        for target in answer.targets:
            figure = target.figure
            word = verdict(figure)
            table.add_row(
                figure.name, value(figure), interval(figure), asked(figure),
                beside(target.reference, figure, target.beside), Text(word, style=STYLES[word]),
            )  # fmt: skip
    return table


def _claims(result: ComponentsResult) -> Table:
    table = _table("What was announced", "claim", "claimed", "measured", "interval")
    table.add_column("verdict", overflow="fold")
    table.add_column("measured as", overflow="fold", ratio=1)
    for headline in result.headlines:
        table.add_row(
            f"{headline.component}: {headline.claim}", claimed(headline), measured(headline),
            measured_interval(headline),
            Text(conclusion(headline), style=_VERDICTS[headline.verdict]), headline.note,
        )  # fmt: skip
    return table


def _table(title: str, first: str, *figures: str) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0),
        pad_edge=False,
    )  # fmt: skip
    table.add_column(first, overflow="fold")
    for name in figures:
        table.add_column(name, justify="right", overflow="fold")
    return table


def make_components_page(result: ComponentsResult) -> str:
    """Lay out the same with charts as one self-contained HTML document, every value escaped."""
    return environment().get_template("components.html.j2").render(
        result=result,
        machine=result.machine,
        warnings=warnings(result),
        reasons=reasons(result),
        operations=operations,
        chart=chart,
        strips=strips,
        growth_of=growth_of,
        median_of=_median,
        spelled=spelled,
        beside_ours=beside_ours,
        value=value,
        interval=interval,
        asked=asked,
        verdict=verdict,
        beside=beside,
        claimed=claimed,
        measured=measured,
        measured_interval=measured_interval,
        conclusion=conclusion,
        write=lambda quantity, number: WRITERS[quantity](number),
    )  # fmt: skip


def chart(shown: Shown, unit: str) -> LineChart | None:
    """Draw seconds an item over the size, or of the whole where items are bytes."""
    if shown.quantity is not Quantity.SECONDS or len(shown.sizes) < LEAST_SIZES:
        return None
    by_name: dict[str, list[tuple[int, float]]] = {}
    for timing in sorted(shown.timings, key=lambda timing: timing.size):
        items = 1 if unit == "byte" else timing.size
        by_name.setdefault(timing.implementation, []).append(
            (timing.size, _median(timing).value / items)
        )
    return line_chart([Series(name, tuple(points)) for name, points in by_name.items()])


def strips(shown: Shown) -> StripChart | None:
    """Draw every repeat of an operation that has too few sizes for lines."""
    if shown.quantity is not Quantity.SECONDS or len(shown.sizes) >= LEAST_SIZES:
        return None
    timings = shown.at(shown.sizes[-1])
    return strips_of([(t.implementation, t.values, _median(t)) for t in timings], limit=_OURS)


def growth_of(answer: ComponentAnswer, timing: Timing) -> Figure | None:
    """The growth of an operation of one implementation, if it has enough sizes."""
    return next((figure for figure in answer.growths if figure.name == timing.series), None)


def beside_ours(shown: Shown, timing: Timing) -> str:
    """Write how many times longer it takes than the native component at the same size."""
    ours = [one for one in shown.at(timing.size) if one.implementation == _OURS]
    if not ours or timing.implementation == _OURS or min(*timing.values, *ours[0].values) <= 0:
        return ""
    return units.times(ratio_interval(timing.values, ours[0].values).value)


def beside(reference: str, figure: Figure, estimate: Estimate | None) -> str:
    """Write a reference and its own figure, which for a ratio is its time."""
    if not reference:
        return ""
    quantity = Quantity.SECONDS if figure.quantity is Quantity.TIMES else figure.quantity
    return f"{reference} {WRITERS[quantity](estimate.value) if estimate else '-'}"


def claimed(headline: Headline) -> str:
    """Write what was claimed, if it is a number."""
    if headline.quantity is None or headline.claimed is None:
        return ""
    return WRITERS[headline.quantity](headline.claimed)


def measured(headline: Headline) -> str:
    """Write what was measured."""
    if headline.quantity is None or headline.estimate is None:
        return "-"
    return WRITERS[headline.quantity](headline.estimate.value)


def measured_interval(headline: Headline) -> str:
    """Write its interval."""
    if headline.quantity is None or headline.estimate is None:
        return ""
    return spelled(headline.quantity, headline.estimate)


def spelled(quantity: Quantity, estimate: Estimate) -> str:
    """Write an interval and its confidence; a single value has none."""
    if not estimate.confidence:
        return ""
    write = WRITERS[quantity]
    low, high = write(estimate.low), write(estimate.high)
    return f"{low} to {high} ({units.percent(estimate.confidence)})"


def conclusion(headline: Headline) -> str:
    """Say what came of a claim; of one that was not reached, by how much it was missed."""
    if headline.verdict is not Verdict.NOT_REACHED or not headline.estimate:
        return headline.verdict
    found, wanted = headline.estimate.value, headline.claimed or 0.0
    missed = (found, wanted) if headline.at_most else (wanted, found)
    factor = f": {units.times(missed[0] / missed[1])} short" if missed[1] > 0 else ""
    return f"{headline.verdict}{factor}"


def reasons(result: ComponentsResult) -> list[tuple[str, str]]:
    """Say what is missing and why: names, those with the same reason together, and the reason."""
    found: dict[str, dict[str, None]] = {}
    for answer in result.answers:
        for timing in answer.timings:
            if not timing.measured:
                what = f", {timing.operation}" if timing.operation else ""
                name = f"{answer.name}/{timing.implementation}{what}"
                found.setdefault(f"{timing.outcome}: {timing.reason}", {})[name] = None
    return [("; ".join(names), reason) for reason, names in found.items()]


def warnings(result: ComponentsResult) -> list[str]:
    """Say what speaks against trusting the figures; one sentence each."""
    found = []
    if result.interrupted:
        found.append("The run was interrupted: what was measured until then is shown.")
    if result.machine.native_build == "debug":
        found.append("noob-fast is a debug build, so the native components were not measured.")
    if " --quick" in result.command:
        found.append("A quick run: smaller sizes and few repeats, no figures to judge by.")
    if result.machine.load_average > result.machine.cpus:
        found.append("The machine was busy with something else: mind the intervals.")
    return found


def outcomes(result: ComponentsResult) -> list[Outcome]:
    """The outcomes of all timings."""
    return [timing.outcome for answer in result.answers for timing in answer.timings]


def _median(timing: Timing) -> Estimate:
    return median_interval(timing.values)
