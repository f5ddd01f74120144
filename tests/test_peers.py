"""The peers' harnesses, on stand-ins of their packages: what they send gives the right result."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from noob_perf import registry
from noob_perf.measure.peers import Dask, Ray
from noob_workloads import Workload, reference

WORKLOAD = Workload(nodes=40, width=6, kernel="busy", duration=1e-6)


class Client:
    """Computes a graph as Dask reads one: a tuple that begins with a function is a task."""

    def __init__(self, cluster):
        self.cluster, self.waited = cluster, 0

    def wait_for_workers(self, number):
        self.waited = number

    def get(self, graph, wanted):
        self.cluster.keys.append(wanted)
        values = {}
        for key, task in graph.items():
            called = isinstance(task, tuple) and callable(task[0])
            values[key] = task[0](*(values[place] for place in task[1:])) if called else task
        return values[wanted]

    def close(self):
        self.cluster.log.append("client closed")


class LocalCluster:
    """Notes what it is asked for."""

    def __init__(self, **asked):
        self.asked, self.log, self.keys = asked, [], []

    def close(self):
        self.log.append("cluster closed")


class FakeRay(ModuleType):
    """Computes at once; a future is a value in a box, which is opened on its way into a task."""

    def __init__(self):
        super().__init__("ray")
        self.log = []

    def init(self, **asked):
        self.asked = asked

    def shutdown(self):
        self.log.append("shut down")

    def remote(self, function):
        def send(*inputs, **keywords):
            opened = [value[0] if isinstance(value, list) else value for value in inputs]
            return [function(*opened, **keywords)]

        return SimpleNamespace(remote=send)

    def get(self, future):
        return future[0]


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return str(tmp_path)


def ran(harness):
    harness.prepare()
    harness.load()
    harness.start()
    results = [*harness.run(2), *harness.run(1)]
    harness.stop()
    assert results == reference(WORKLOAD, 3)
    assert not harness.native


def test_dask_gets_each_epoch_as_a_graph_of_new_keys(monkeypatch, folder):
    module = ModuleType("distributed")
    module.Client, module.LocalCluster = Client, LocalCluster
    monkeypatch.setitem(sys.modules, "distributed", module)
    harness = Dask(WORKLOAD, 3)
    ran(harness)
    assert harness.cluster.asked["n_workers"] == harness.client.waited == 3
    assert harness.cluster.asked["threads_per_worker"] == 1
    assert harness.cluster.asked["local_directory"] == folder
    assert len(set(harness.cluster.keys)) == 3
    assert harness.cluster.log == ["client closed", "cluster closed"]


def test_ray_gets_each_task_with_the_futures_of_its_inputs(monkeypatch, folder):
    ray = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", ray)
    ran(Ray(WORKLOAD, 3))
    assert ray.asked["num_cpus"] == 3
    assert ray.asked["_temp_dir"] == folder
    assert ray.log == ["shut down"]


@pytest.mark.parametrize("harness", [Dask, Ray])
def test_a_worker_a_processor_is_the_default(harness, monkeypatch):
    monkeypatch.setattr("noob_perf.measure.peers.usable_cpus", lambda: 5)
    assert harness(WORKLOAD).workers == 5


@pytest.mark.parametrize("name", ["dask", "ray"])
def test_the_peers_are_an_extra_and_phone_nobody(name):
    entry = registry.find(name)
    assert entry.hint == "pip install 'noob-perf[peers]'"
    assert entry.max_nodes == 1_000
    assert name != "ray" or entry.env["RAY_USAGE_STATS_ENABLED"] == "0"
