"""The experiment: what does running in parallel bring and cost? One module a question."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from noob_perf.experiments.chain import CHAIN
from noob_perf.experiments.efficiency import EFFICIENCY
from noob_perf.experiments.laboratory import Laboratory
from noob_perf.experiments.memory import MEMORY
from noob_perf.experiments.metg import METG
from noob_perf.experiments.overhead import OVERHEAD
from noob_perf.experiments.payload import PAYLOAD
from noob_perf.experiments.wait import WAIT
from noob_perf.measure.machine import fingerprint
from noob_perf.results import SCHEMA_VERSION, Answer, ParallelResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from noob_perf.experiments.laboratory import Options, Question
    from noob_perf.measure.turns import Observer

QUESTIONS = {
    question.name: question
    for question in (OVERHEAD, EFFICIENCY, METG, WAIT, CHAIN, PAYLOAD, MEMORY)
}
"""All questions by their names, in the order in which they are answered."""


def measure(
    questions: Sequence[Question], options: Options, command: str, observer: Observer
) -> ParallelResult:
    """Answer the questions, one after the other; on Ctrl-C, return what was found until then.

    No process that it started is left when it returns, however it ends.

    Args:
        questions: what is to be answered.
        options: how.
        command: the command that does the same again.
        observer: who is told how far it is.
    """
    created, machine = datetime.now(UTC).isoformat(timespec="seconds"), fingerprint()
    answers: list[Answer] = []
    interrupted = False
    for question in questions:
        observer.stage(f"{question.name}: {question.text}")
        lab = Laboratory(options, observer)
        figures = []
        try:
            figures = list(question.answer(lab))
        except KeyboardInterrupt:
            interrupted = True
        answers.append(Answer(question.name, question.text, tuple(figures), tuple(lab.cells)))
        if interrupted:
            break
    return ParallelResult(SCHEMA_VERSION, created, command, interrupted, machine, tuple(answers))
