"""The schema: what is written is read back, and nothing else is taken for it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from noob_perf.errors import InvalidResultError, ResultsError, UnknownSchemaError
from noob_perf.results import (
    ComponentsResult,
    ParallelResult,
    SuiteResult,
    from_json,
    read,
    to_json,
)

RUN_KEYS = [
    "runner", "outcome", "reason", "nodes", "epochs", "workers", "native", "load_s", "start_s",
    "epoch_s", "us_per_node", "speedup_vs_sync", "validated", "peak_rss_bytes",
]  # fmt: skip


def test_results_survive_the_way_through_a_file(result, tmp_path):
    file = tmp_path / "result.json"
    file.write_text(to_json(result))
    assert read(file) == result


def test_results_without_stock_load_survive_too(result):
    result = replace(result, stock_load=None)
    assert from_json(to_json(result), SuiteResult) == result


def test_answers_survive_too(answers):
    assert from_json(to_json(answers), ParallelResult) == answers


def test_components_survive_too(components):
    assert from_json(to_json(components), ComponentsResult) == components


def test_one_kind_of_results_is_not_taken_for_another(result, answers):
    with pytest.raises(InvalidResultError, match="answers"):
        from_json(to_json(result), ParallelResult)
    with pytest.raises(InvalidResultError, match="workload"):
        from_json(to_json(answers), SuiteResult)


def test_the_keys_are_the_published_ones(result):
    raw = json.loads(to_json(result))
    assert {"schema_version", "machine", "workload", "runs"} <= set(raw)
    assert {"nodes", "edges", "content_hash"} <= set(raw["workload"])
    assert [list(run) for run in raw["runs"]] == [RUN_KEYS] * len(result.runs)
    assert {run["outcome"] for run in raw["runs"]} == {
        "success", "unsupported", "timeout", "failure",
    }  # fmt: skip


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_other_versions_are_refused(result, version):
    raw = json.loads(to_json(result)) | {"schema_version": version}
    with pytest.raises(UnknownSchemaError, match=f"{version!r} is unknown; known version: 1"):
        from_json(json.dumps(raw), SuiteResult)


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "{}", '{"runs": []}', "NaN"])
def test_what_is_no_results_file_is_refused(text):
    with pytest.raises(InvalidResultError, match="not a results file"):
        from_json(text, SuiteResult)


@pytest.mark.parametrize(
    ("change", "culprit"),
    [
        ({"outcome": "splendid"}, r"runs\.0\.outcome"),
        ({"nodes": "many"}, r"runs\.0\.nodes"),
        ({"epoch_s": [1.0, None]}, r"runs\.0\.epoch_s\.1"),
        ({"colour": "red"}, r"runs\.0\.colour"),
    ],
)
def test_a_fault_is_named_by_its_key(result, change, culprit):
    raw = json.loads(to_json(result))
    raw["runs"][0] |= change
    with pytest.raises(InvalidResultError, match=culprit):
        from_json(json.dumps(raw), SuiteResult)


def test_a_missing_key_is_named(result):
    raw = json.loads(to_json(result))
    del raw["runs"][1]["validated"]
    with pytest.raises(ResultsError, match=r"runs\.1\.validated"):
        from_json(json.dumps(raw), SuiteResult)
