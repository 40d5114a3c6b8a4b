"""Requests made up from an OpenAPI document, and what is wrong with their answers."""

from __future__ import annotations

import copy
import warnings
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from schemathesis import openapi
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.python.asgi import shutdown_lifespans

_REFUSED = ('400', '401', '403', '404', '405', '406', '409', '412', '413', '415', '422', '428')
"""How a request that doesn't fit may be refused."""


@dataclass
class Findings:
    """What came of it."""

    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter[int])
    failures: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    """By operation and sort: the first of each."""


def fuzzed(
    app: FastAPI,
    key: str,
    *,
    under: tuple[str, ...] = ('/v1/',),
    examples: int = 1,
    seconds: float | None = None,
    phases: tuple[str, ...] = ('examples', 'coverage', 'fuzzing', 'stateful'),
    seed: int = 8,
    least: bool = False,
) -> Findings:
    """Try an application in this process with all checks that there are.

    Args:
        app: Which.
        key: With which API key.
        under: The routes, by the beginning of their paths.
        examples: How many requests to make up for each route in the later phases.
        seconds: When to end, at the latest.
        phases: `examples` of the document, `coverage` of every constraint in it, `fuzzing`, and `stateful`, where one
            request goes on with what another has answered.
        seed: Of chance.
        least: Whether the key may do only some of it.
    """
    document = copy.deepcopy(app.openapi())
    document['paths'] = {path: item for path, item in document['paths'].items() if path.startswith(under)}
    told: dict[str, Any] = {
        'seed': seed,
        'continue-on-failure': True,
        'auth': {'openapi': {'bearer': {'bearer': key}}},
        'generation': {'max-examples': examples, 'database': 'none', 'no-shrink': True},
        'phases': {name: {'enabled': name in phases} for name in ('examples', 'coverage', 'fuzzing', 'stateful')},
        'checks': {
            # A document can't say all: filters, cursors and scopes have rules of their own, told by 422.
            'positive_data_acceptance': {
                'expected-statuses': ['2xx', '304', '404', '409', '412', '413', '422', *(('403',) if least else ())]
            },
            'negative_data_rejection': {'expected-statuses': list(_REFUSED)},
            'missing_required_header': {'expected-statuses': ['401', '422', '428']},
        },
    }
    if seconds is not None:
        told['max-time'] = seconds
    schema = openapi.from_dict(document, config=SchemathesisConfig.from_dict(told))
    schema.app = app
    found = Findings()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            for event in from_schema(schema).execute():
                _note(event, found)
    finally:
        shutdown_lifespans()  # else the application goes on until the process ends
    return found


def _note(event: Any, found: Findings) -> None:
    if isinstance(event, events.FatalError):
        raise event.exception
    if isinstance(event, events.NonFatalError):
        found.failures.setdefault((event.label, type(event.value).__name__), str(event.value))
    if not isinstance(event, events.ScenarioFinished):
        return
    recorder = event.recorder
    for interaction in recorder.interactions.values():
        found.requests += 1
        if interaction.response is not None:
            found.statuses[interaction.response.status_code] += 1
    for case, checks in recorder.checks.items():
        for check in checks:
            if check.failure_info is not None:
                failure = check.failure_info.failure
                key = (recorder.cases[case].value.operation.label, type(failure).__name__)
                found.failures.setdefault(key, f'{failure.message}\n{check.failure_info.code_sample}'[:1000])
