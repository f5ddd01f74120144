"""Several threads may use one native scheduler: each node is handed out and completed once."""

from __future__ import annotations

import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from threading import Barrier, Thread
from typing import TYPE_CHECKING, Any

import pytest

sys.path.append(str(Path(__file__).parent))
from scheduler_help import native

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LAYERS, WIDTH, EPOCHS, THREADS = 25, 16, 4, 6
NAMES = [[f"n{layer}_{at}" for at in range(WIDTH)] for layer in range(LAYERS)]

pytestmark = pytest.mark.skipif(not isinstance(native(), type), reason="noob_fast is not installed")


def by_call(scheduler: Any, epoch: int) -> Iterator[str]:
    for at, node in scheduler.get_ready_at(epoch):
        yield node
        scheduler.done(at, node)


def by_list(scheduler: Any, epoch: int) -> Iterator[str]:
    ready = scheduler.get_ready_at(epoch)
    yield from (node for _, node in ready)
    scheduler.done_many(ready)


def by_array(scheduler: Any, epoch: int) -> Iterator[str]:
    ready, names = scheduler.ready_array(epoch), scheduler.node_names()
    yield from (names[number] for number in ready)
    scheduler.done_array(epoch, ready)


def by_events(scheduler: Any, epoch: int) -> Iterator[str]:
    for at, node in scheduler.get_ready_at(epoch):
        yield node
        scheduler.update([(at, node, "s", False, False)])


@pytest.mark.parametrize(
    "ways",
    [[by_call], [by_list], [by_array], [by_call, by_list, by_array, by_events]],
    ids=["calls", "lists", "arrays", "all"],
)
def test_threads_share_the_nodes(ways: list[Callable[[Any, int], Iterator[str]]]) -> None:
    scheduler = native()(
        [(name, True, None) for layer in NAMES for name in layer],
        [
            (layer[at - shift], "s", after[at], str(shift), True)
            for layer, after in pairwise(NAMES)
            for at in range(WIDTH)
            for shift in range(2)
        ],
    )
    taken: Counter[tuple[int, str]] = Counter()
    errors: list[BaseException] = []
    start = Barrier(THREADS)

    def work(number: int) -> None:
        own: list[tuple[int, str]] = []
        deadline = time.monotonic() + 60
        try:
            start.wait(10)
            while len(scheduler.epoch_log) < EPOCHS and time.monotonic() < deadline:
                # (an epoch starts by itself when the first layer of the one before is done)
                for epoch in range(EPOCHS):
                    own += [(epoch, node) for node in ways[number % len(ways)](scheduler, epoch)]
        except BaseException as error:
            errors.append(error)
            raise
        finally:
            taken.update(own)

    scheduler.add_epoch()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [Thread(target=work, args=(number,), daemon=True) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(90)
    finally:
        sys.setswitchinterval(interval)
    assert not errors
    assert not any(thread.is_alive() for thread in threads)
    assert taken == Counter((e, name) for e in range(EPOCHS) for layer in NAMES for name in layer)
    assert scheduler.epoch_log >= set(range(EPOCHS))
