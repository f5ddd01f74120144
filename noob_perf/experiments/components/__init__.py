"""The experiment: what do the native components bring, beside their twins and the best peers?

One module a component. `bench` measures what they ask for, `figures` and `headlines` judge it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from noob_perf.experiments.components.bench import Bench, Findings
from noob_perf.experiments.components.buffers import BUFFERS
from noob_perf.experiments.components.figures import growths
from noob_perf.experiments.components.headlines import judge_claims
from noob_perf.experiments.components.scheduler import SCHEDULER
from noob_perf.experiments.components.serializer import SERIALIZER
from noob_perf.experiments.components.store import STORE
from noob_perf.measure.machine import fingerprint
from noob_perf.results import SCHEMA_VERSION, ComponentAnswer, ComponentsResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from noob_perf.experiments.components.bench import Options, Question
    from noob_perf.measure.turns import Observer
    from noob_perf.results import Target

QUESTIONS = {question.name: question for question in (SCHEDULER, STORE, SERIALIZER, BUFFERS)}
"""All questions by their names, in the order in which they are answered."""


def measure(
    questions: Sequence[Question], options: Options, command: str, observer: Observer
) -> ComponentsResult:
    """Measure the components, one after the other; on Ctrl-C, return what was found until then.

    No process that it started is left when it returns, however it ends.

    Args:
        questions: what is to be answered.
        options: how.
        command: the command that does the same again.
        observer: who is told how far it is.
    """
    created, machine = datetime.now(UTC).isoformat(timespec="seconds"), fingerprint()
    answers: list[ComponentAnswer] = []
    found: dict[str, Findings] = {}
    interrupted = False
    for question in questions:
        observer.stage(f"{question.name}: {question.text}")
        bench = Bench(options, observer, question.quantities)
        try:
            question.measure(bench)
        except KeyboardInterrupt:
            interrupted = True
        findings = found[question.name] = Findings(
            bench.timings, options.scale, question.quantities
        )
        answers.append(
            ComponentAnswer(
                question.name,
                question.text,
                question.unit,
                findings.timings,
                tuple(growths(findings.timings)),
                () if interrupted else _targets(question, findings),
            )
        )
        if interrupted:
            break
    return ComponentsResult(
        SCHEMA_VERSION, created, command, interrupted, machine, tuple(answers),
        tuple(judge_claims(options.scale, found)) if options.scale.judged else (),
    )  # fmt: skip


def _targets(question: Question, found: Findings) -> tuple[Target, ...]:
    """Compute what was asked for; where sizes are too small to be judged by, nothing is asked."""
    targets = tuple(question.targets(found))
    if found.scale.judged:
        return targets
    return tuple(
        replace(target, figure=replace(target.figure, at_least=None, at_most=None))
        for target in targets
    )
