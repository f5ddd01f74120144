"""What people read: units, warnings, the table, and a page that stands alone and escapes."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from itertools import pairwise

import pytest
from rich.console import Console

from noob_perf.report import answers as shown
from noob_perf.report import components as lab
from noob_perf.report import units
from noob_perf.report.charts import LogScale, growth_chart, strip_chart
from noob_perf.report.lines import Series, line_chart
from noob_perf.report.page import make_page
from noob_perf.report.rows import describe_stock_load, make_rows, warnings
from noob_perf.report.table import make_table

VOID = {"meta", "br", "hr", "img", "input", "link"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10.24, "10.2 s"),
        (247.0, "247 s"),
        (0.0345, "34.5 ms"),
        (1.5e-6, "1.50 µs"),
        (3e-9, "3.00 ns"),
        (0.0, "0 ns"),
    ],
)
def test_times_have_three_digits_and_a_unit(value, text):
    assert units.seconds(value) == text


def test_other_quantities():
    assert units.memory(150 * 2**20) == "150 MiB"
    assert units.memory(0) == "0 B"
    assert units.times(1234.5) == "1,234x"
    assert units.times(0.0123) == "0.0123x"
    assert units.percent(0.756) == "76%"
    assert units.seconds_between(0.0101, 0.0203) == "10.1 to 20.3 ms"
    assert units.seconds_between(0.0101, 1.5) == "10.1 ms to 1.50 s"
    assert units.times_between(0.9, 12) == "0.900 to 12.0x"


def as_text(result, width=250, table=make_table):
    out = StringIO()
    Console(file=out, width=width).print(table(result))
    return out.getvalue()


def test_the_table_shows_every_row_and_reason(result):
    shown = as_text(result)
    for word in ("compiled", "10.2 s", "1,020", "949x", "150 MiB", "unsupported", "timeout"):
        assert word in shown
    assert "broken, 10,000 nodes: failure: ValueError: <b>no</b>" in shown
    assert "extrapolated, not measured" in shown


def test_a_single_repeat_has_no_interval(result):
    shown = as_text(replace(result, runs=(replace(result.runs[0], epoch_s=(10.2,)),)))
    assert "10.2 s" in shown
    assert "10.2 to 10.2 s" not in shown


def test_only_the_runners_shown_are_said_to_be_on_an_indexed_tube(result):
    assert "sync, zmq: edges are looked up as NOOB does" in as_text(result)
    assert "looked up" not in as_text(replace(result, runs=result.runs[-1:]))


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_narrow_terminal_loses_nothing(result, width):
    assert "…" not in as_text(result, width)


def test_rows_compare_with_the_baseline_on_the_same_graph_only(result):
    rows = {row.label: row for row in make_rows(result)}
    assert rows["compiled"].speedup.low < rows["compiled"].speedup.value
    assert rows["zmq, 16 nodes"].speedup is None
    assert rows["zmq, 16 nodes"].epoch is not None
    assert rows["slow"].epoch is None


def test_no_warning_where_there_is_nothing_to_warn_of(result):
    assert warnings(result) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"interrupted": True}, "interrupted"),
        ({"native_build": "debug"}, "debug build"),
        ({"epoch_s": (1.0,)}, "sync: a single repeat tells nothing of the spread"),
        ({"epoch_s": (1.0, 1.0, 2.0)}, "sync: the interval of the median spans 100%"),
        ({"runner": "compiled", "native": False}, "Python twins"),
    ],
)
def test_warnings_say_what_not_to_trust(result, change, words):
    if "interrupted" in change:
        result = replace(result, **change)
    elif "native_build" in change:
        result = replace(result, machine=replace(result.machine, **change))
    else:
        result = replace(result, runs=(replace(result.runs[0], **change),))
    (warning,) = warnings(result)
    assert words in warning


def test_the_stock_load_says_whether_it_was_measured(result):
    stock = result.stock_load
    assert "extrapolated, not measured, from 500 to 1,000 nodes" in describe_stock_load(stock)
    measured = replace(stock, measured_s=3.0, extrapolated_s=None, exponent=None)
    assert describe_stock_load(measured) == "Stock NOOB loads 10,000 nodes in 3.00 s (measured)."
    unknown = replace(stock, points=(), exponent=None, extrapolated_s=None, reason="it hung")
    assert describe_stock_load(unknown).endswith("is not known: it hung.")


class _Page(HTMLParser):
    """Checks that elements close in order and keeps what a browser would fetch or show."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.labels: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name in {"src", "href", "xlink:href", "action", "srcset", "data"}:
                self.links.append(value)
            if name == "id":
                self.ids.append(value)
            if name == "aria-labelledby":
                self.labels += value.split()
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_the_page_stands_alone_and_says_everything(result):
    text = make_page(result)
    page = _Page(text)
    assert page.links == []
    assert not any(word in text for word in ("http:", "https:", "//", "@import", "url(", "<script"))
    assert page.tags.count("svg") == 2
    assert set(page.labels) <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    for word in (
        "random_layered", "19,800", "c0ffee", "A processor", "1003.0.2", "949x", "extrapolated",
        "python -m noob_perf.suite --runner all", "no answer within 9 s", "a process a node",
    ):  # fmt: skip
        assert word in page.text, word


def test_the_page_escapes_every_value(result):
    evil = '"><script>alert(1)</script>&amp;'
    result = replace(
        result,
        command=evil,
        machine=replace(result.machine, processor=evil, packages={evil: evil}),
        workload=replace(result.workload, pattern=evil, parameters={evil: evil}),
        stock_load=replace(result.stock_load, reason=evil),
        runs=tuple(replace(run, runner=evil, reason=evil) for run in result.runs),
    )
    text = make_page(result)
    assert "script" not in _Page(text).tags
    assert "<script" not in text


def test_the_page_of_nothing_measured_has_no_figures(result):
    runs = tuple(run for run in result.runs if not run.validated)
    page = _Page(make_page(replace(result, runs=runs, stock_load=None)))
    assert "svg" not in page.tags
    assert "no answer within 9 s" in page.text


def test_figures_place_values_in_order_within_their_axes(result):
    chart = strip_chart(make_rows(result))
    for strip in chart.strips:
        assert chart.left <= strip.low <= strip.median <= strip.high <= chart.right
    medians = {strip.name: strip.median for strip in chart.strips}
    assert medians["loop"] < medians["compiled"] < medians["sync"]
    assert chart.limit == medians["loop"]
    growth = growth_chart(result.stock_load)
    assert all(growth.left < dot.x < growth.ahead.x for dot in growth.measured)
    assert growth.top <= growth.ahead_high < growth.ahead.y < growth.ahead_low <= growth.bottom


@pytest.mark.parametrize("values", [[1.0], [1.0, 1.001], [1e-6, 1e3], [0.0071, 0.0083]])
def test_axes_have_ticks_within_them(values):
    scale = LogScale(values, 0, 100, units.seconds)
    ticks = [tick.at for tick in scale.ticks()]
    assert ticks == sorted(ticks)
    assert all(0 <= at <= 100 for at in ticks)
    assert ticks
    assert len(ticks) <= 12


def test_the_table_of_answers_has_every_figure_and_verdict(answers):
    lines = as_text(answers, table=shown.make_answers_table).splitlines()

    def line(start):
        (found,) = [line.split(maxsplit=1)[-1] for line in lines if line.strip().startswith(start)]
        return " ".join(found.split())

    assert "What does it cost?" in lines[1]
    assert line("a: a task").endswith("12.0 µs 11.0 µs to 13.0 µs (95%) at most 20.0 µs met")
    assert line("b over a").endswith("1.50x 1.40x to 1.60x (90%) at most 1.30x missed")
    assert line("a  ").endswith("0.950 0.940 to 0.960 (95%) at least 0.930 met")
    assert line("b  ").endswith("2.00 KiB")
    assert line("c  ").endswith("at most 1.00 s not measured")
    assert line("overhead/c").endswith("failure: <b>no</b>")
    assert line("overhead/d").endswith("it never crosses")


@pytest.mark.parametrize("width", [40, 80])
def test_a_narrow_terminal_loses_no_answer(answers, width):
    assert "…" not in as_text(answers, width, shown.make_answers_table)


def test_equal_reasons_are_given_once(answers):
    answer = answers.answers[0]
    cells = (*answer.cells, replace(answer.cells[2], label="e"))
    twice = replace(answers, answers=(replace(answer, cells=cells),))
    assert shown.reasons(twice) == [
        ("overhead/c; overhead/e", "failure: <b>no</b>"), ("overhead/d", "it never crosses"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"interrupted": True}, "interrupted"),
        ({"command": "python -m noob_perf.parallel --quick"}, "quick"),
        ({"native_build": "debug"}, "debug"),
        ({"native_build": "python"}, "python"),
    ],
)
def test_what_not_to_trust_of_answers_is_said(answers, change, words):
    known = ["overhead, b: it did not stop in good order."]
    assert shown.warnings(answers) == known
    if "native_build" in change:
        change = {"machine": replace(answers.machine, **change)}
    (warning, *rest) = shown.warnings(replace(answers, **change))
    assert words in warning
    assert rest == known


def test_the_page_of_answers_stands_alone_and_escapes(answers):
    evil = '"><script>alert(1)</script>&amp;'
    page = _Page(shown.make_answers_page(answers))
    assert page.links == []
    assert set(page.labels) <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    for word in ("b over a", "1.50x", "at most 1.30x", "missed", "not measured", "A processor",
                 "it never crosses", "10.2 s", answers.command):  # fmt: skip
        assert word in page.text, word
    answer = answers.answers[0]
    text = shown.make_answers_page(
        replace(
            answers,
            command=evil,
            answers=(
                replace(
                    answer,
                    question=evil,
                    figures=tuple(replace(f, name=evil, reason=evil) for f in answer.figures),
                    cells=tuple(
                        replace(c, label=evil, parameters=c.parameters | {"pattern": evil})
                        for c in answer.cells
                    ),
                ),
            ),
        )
    )
    assert "script" not in _Page(text).tags
    assert "<script" not in text


def test_the_tables_of_components_have_medians_targets_reasons_and_claims(components):
    lines = [" ".join(line.split()) for line in as_text(
        components, table=lab.make_components_table
    ).splitlines()]  # fmt: skip
    between = "1.00 ms to 3.00 ms (95%)"
    for line in (
        "table of 1,000: decode 1.50 ms 4.50 ms 1.00",
        "table of 100: encode 2.00 ms 5.00 ms",
        "table of 100: held 2.00 KiB -",
        "times faster 3.00x 2.00x to 4.00x (90%) at least 4.50x pickle 5 2.00 ms missed",
        "perhaps faster 3.00x 2.00x to 4.00x (90%) at least 2.50x pickle 5 2.00 ms undecided",
        "an absolute one 2.00 ms 1.00 ms to 3.00 ms (95%) at most 10.0 ms met",
        "serializer/twin, encode: failure: wrong result: <b>1</b>",
        "serializer/msgspec: unsupported: get it",
        f"FastThing: a bold claim 1.00 ms 2.00 ms {between} not reached: 2.00x short a note",
        f"FastThing: a modest claim 1.00 ms 2.00 ms {between} reached a note",
        f"FastThing: a daring claim 1.00 ms 2.00 ms {between} projected a note",
        f"FastThing: a fair claim 1.00 ms 2.00 ms {between} undecided a note",
        "FastThing: an idle claim 1.00 ms - not measured a note",
        "FastThing: a vague claim - not comparable a note",
    ):
        assert line in lines, line
    text = as_text(replace(components, headlines=()), table=lab.make_components_table)
    assert "announced" not in text


@pytest.mark.parametrize("width", [40, 80])
def test_a_narrow_terminal_loses_nothing_of_components(components, width):
    assert "…" not in as_text(components, width, lab.make_components_table)


def test_the_page_of_components_stands_alone_and_escapes(components):
    evil = '"><script>alert(1)</script>&amp;'
    page = _Page(lab.make_components_page(components))
    assert page.links == []
    assert set(page.labels) <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert page.tags.count("svg") == 2  # a line chart of decode, strips of encode
    for word in ("not reached: 2.00x short", "missed", "2.00 KiB", "3.00x", "1.00 ms to 3.00 ms",
                 "get it", "A processor", components.command):  # fmt: skip
        assert word in page.text, word
    answer = components.answers[0]
    text = lab.make_components_page(
        replace(
            components,
            command=evil,
            answers=(
                replace(
                    answer,
                    question=evil,
                    unit=evil,
                    timings=tuple(
                        replace(t, implementation=t.implementation + evil, case=evil, reason=evil)
                        for t in answer.timings
                    ),
                    targets=tuple(replace(t, reference=evil) for t in answer.targets),
                ),
            ),
            headlines=tuple(
                replace(h, claim=evil, note=evil, component=evil) for h in components.headlines
            ),
        )
    )
    assert "script" not in _Page(text).tags
    assert "<script" not in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"interrupted": True}, "interrupted"),
        ({"command": "python -m noob_perf.components --quick"}, "quick"),
        ({"native_build": "debug"}, "debug"),
        ({"load_average": 9.0}, "busy"),
    ],
)
def test_what_not_to_trust_of_components_is_said(components, change, words):
    assert lab.warnings(components) == []
    if change.keys() & {"native_build", "load_average"}:
        change = {"machine": replace(components.machine, **change)}
    (warning,) = lab.warnings(replace(components, **change))
    assert words in warning


def test_names_of_lines_keep_apart_and_in_order():
    points = [1e-6, 1.01e-6, 1.02e-6, 5e-3, 5.01e-3]
    series = [Series(f"s{at}", ((10, s), (100, s * 2))) for at, s in enumerate(points)]
    chart = line_chart(series)
    heights = [line.label_y for line in chart.lines]
    assert heights == sorted(heights, reverse=True)
    assert all(below - above >= 14 for below, above in pairwise(heights))
    assert all(chart.top <= height <= chart.bottom for height in heights)
    assert line_chart([]) is None
