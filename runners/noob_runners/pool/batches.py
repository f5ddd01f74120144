"""How many calls are sent at once, and who gives some back.

What a step takes is learnt from its results. A batch is about eight milliseconds of work: a
message costs both sides some tens of microseconds, which is to be little beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterable, Sequence

    from noob_runners.executor import Call
    from noob_runners.pool.member import Member

__all__ = [
    "MOST_BATCHES",
    "SILENCE_NS",
    "Costs",
    "is_little",
    "may_share",
    "richest",
    "take_batch",
]

MOST_BATCHES = 2
"""That a worker has at a time: one it runs and one that waits."""
_BATCH_NS = 8_000_000.0
_WORTH_NS = 50_000.0
"""Work that is worth a message: less is not divided among workers."""
_UNKNOWN_NS = _BATCH_NS / 64
"""What a step is taken for that has never been run."""
SILENCE_NS = 4_500_000
"""How long no worker is silent that runs short calls: it sends what it has every 3 ms."""
_SOON_NS = 200_000.0
"""Work that will be ready before it could be given to another."""
_WEIGHT = 0.25
"""Of the latest measurement, in the moving average."""


class Costs:
    """What each step takes, in nanoseconds: an exponentially weighted moving average."""

    def __init__(self) -> None:
        self._ns: dict[int, float] = {}

    def learn(self, steps: Sequence[int], clock: Sequence[int]) -> int:
        """Note what the steps of a call took; returns all that time, in nanoseconds.

        Args:
            steps: those that were run, or stood before ones that were.
            clock: for each when it began and what it took; it began at 0 if it was not run.
        """
        ns = self._ns
        if len(clock) == 2 and clock[0]:  # noqa: PLR2004 (one step: the usual case, in half the time)
            step, took = steps[0], clock[1]
            old = ns.get(step)
            ns[step] = took if old is None else old + (took - old) * _WEIGHT
            return took
        total = 0
        for at in range(0, len(clock), 2):
            if not clock[at]:
                continue
            took = clock[at + 1]
            total += took
            step = steps[at >> 1]
            old = ns.get(step)
            ns[step] = took if old is None else old + (took - old) * _WEIGHT
        return total

    def of(self, call: Call) -> float:
        """What a call will take."""
        steps = call[1]
        if len(steps) == 1:
            return self._ns.get(steps[0], _UNKNOWN_NS)
        return sum(self._ns.get(step, _UNKNOWN_NS) for step in steps)

    def of_all(self, calls: Iterable[Call]) -> float:
        """What calls will take together."""
        return sum(map(self.of, calls))


def take_batch(queue: deque[Call], share: int, costs: Costs) -> list[Call]:
    """Take calls from the front of a queue that is not empty.

    Args:
        queue: of calls.
        share: how many are a worker's fair share. It gets more only if they are very short.
        costs: what each takes.
    """
    batch: list[Call] = []
    total = 0.0
    while queue and total < (_BATCH_NS if len(batch) < share else _WORTH_NS):
        call = queue.popleft()
        batch.append(call)
        total += costs.of(call)
    return batch


def is_little(queue: Iterable[Call], costs: Costs) -> bool:
    """Whether calls are together less work than is worth a message of its own."""
    total = 0.0
    for call in queue:
        total += costs.of(call)
        if total >= _WORTH_NS:
            return False
    return True


def may_share(members: Iterable[Member]) -> list[Member]:
    """Those who may have calls that they have not begun, and have not been asked for them."""
    return [
        member
        for member in members
        if member.generous and not member.asked and len(member.calls) > 1
    ]


def richest(members: Iterable[Member], costs: Costs, now: int) -> Member | None:
    """Whom to ask for calls: who has most to do, if that is more than will be ready soon.

    Args:
        members: who may be asked.
        costs: what calls take.
        now: by `time.monotonic_ns`. Who has been silent for long is in a call that takes longer
            than was thought.
    """
    best, most = None, _SOON_NS
    for member in members:
        left = costs.of_all(call for call, _ in member.calls.values())
        silent = now - member.heard_ns
        if silent >= SILENCE_NS:
            left += silent
        if left > most:
            best, most = member, left
    return best
