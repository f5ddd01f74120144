"""The recipes of wfcommons: sizes, seeds, and that nothing else's random numbers are touched."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from noob_workloads import InvalidWorkloadError, MissingExtraError, Workload
from noob_workloads.workflows import RECIPES, generate

HASHES = """
import json
from noob_workloads import Workload
from noob_workloads.workflows import RECIPES
graphs = {name: Workload(pattern=name, nodes=400).graph() for name in RECIPES}
print(json.dumps({name: graph.content_hash() for name, graph in graphs.items()}))
"""


@pytest.fixture(name="_wfcommons", scope="module")
def _installed():
    pytest.importorskip("wfcommons")


@pytest.mark.usefixtures("_wfcommons")
@pytest.mark.parametrize("pattern", RECIPES)
class TestRecipe:
    def test_the_least_number_of_nodes_is_what_it_says(self, pattern):
        least = RECIPES[pattern].least
        assert Workload(pattern=pattern, nodes=least).graph().nodes == least
        with pytest.raises(InvalidWorkloadError, match=f"{pattern!r} has at least {least} nodes"):
            Workload(pattern=pattern, nodes=least - 1).graph()

    def test_it_makes_nearly_as_many_nodes_as_asked(self, pattern):
        graph = Workload(pattern=pattern, nodes=1000).graph()
        assert 950 <= graph.nodes <= 1000
        assert len(set(graph.names)) == graph.nodes

    def test_it_draws_from_the_seed_alone(self, pattern):
        workload = Workload(pattern=pattern, nodes=400)
        state, numbers = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002 - that one is watched
        first = generate(workload).content_hash()
        assert random.getstate() == state
        assert np.random.get_state()[1].tolist() == numbers  # noqa: NPY002 - that one is watched
        random.random()
        assert generate(workload).content_hash() == first


@pytest.mark.usefixtures("_wfcommons")
def test_another_seed_is_another_graph():
    workload = Workload(pattern="montage", nodes=400)
    hashes = {replace(workload, seed=seed).graph().content_hash() for seed in range(4)}
    assert len(hashes) > 1


@pytest.mark.usefixtures("_wfcommons")
def test_another_process_makes_the_same_graphs():
    ran = subprocess.run(
        [sys.executable, "-c", HASHES],
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    here = {name: Workload(pattern=name, nodes=400).graph().content_hash() for name in RECIPES}
    assert json.loads(ran.stdout) == here


def test_without_wfcommons_there_is_a_hint(monkeypatch):
    monkeypatch.setitem(sys.modules, "wfcommons", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'noob-workloads\[workflows\]'"):
        generate(Workload(pattern="blast", nodes=99))
