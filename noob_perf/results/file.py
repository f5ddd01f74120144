"""The file of an experiment's results: JSON, and validated on reading."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from noob_perf.errors import InvalidResultError, UnknownSchemaError
from noob_perf.results.model import SCHEMA_VERSION, SuiteResult

if TYPE_CHECKING:
    from pathlib import Path

    from noob_perf.results.components import ComponentsResult
    from noob_perf.results.parallel import ParallelResult

_Result = TypeVar("_Result")


def to_json(result: SuiteResult | ParallelResult | ComponentsResult) -> str:
    """Write the results as JSON text; `from_json` gives back an equal value."""
    return json.dumps(asdict(result), indent=2, allow_nan=False) + "\n"


def from_json(text: str | bytes, kind: type[_Result]) -> _Result:
    """Read results back.

    Args:
        text: what `to_json` has written.
        kind: the type of the results, such as `SuiteResult`.

    Raises:
        UnknownSchemaError: they are of a schema version other than this reader's.
        InvalidResultError: they are no JSON, or do not follow the schema; the message names the
            key at fault.
    """
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise InvalidResultError(f"not a results file: no JSON ({error})") from error
    if not isinstance(raw, dict) or "schema_version" not in raw:
        raise InvalidResultError("not a results file: there is no schema_version")
    if raw["schema_version"] != SCHEMA_VERSION:
        raise UnknownSchemaError(
            f"schema version {raw['schema_version']!r} is unknown; known version: {SCHEMA_VERSION}"
        )
    try:
        return _adapter(kind).validate_json(text)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
        )
        raise InvalidResultError(f"not a results file of version {SCHEMA_VERSION}: {faults}") from (
            error
        )


def read(path: Path) -> SuiteResult:
    """Read a suite's results file.

    Raises:
        OSError: the file cannot be read.
        ResultsError: as `from_json` does.
    """
    return from_json(path.read_bytes(), SuiteResult)


def _adapter(kind: type[_Result]) -> TypeAdapter[_Result]:
    strict = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    return TypeAdapter(with_config(strict)(kind))
