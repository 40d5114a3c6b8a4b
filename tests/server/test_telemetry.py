"""Spans, metrics and the log of a server: what they tell of a request, and that they tell nothing of what it said."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest

import _server_part
from _server import serving

pytest.importorskip('opentelemetry.sdk')

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

PARTS: list[Any] = [_server_part]


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    provider, exporter = TracerProvider(shutdown_on_exit=False), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, 'get_tracer_provider', lambda: provider)
    yield exporter
    provider.shutdown()


def _ask(*paths: str, headers: dict[str, str] | None = None) -> None:
    async def asked() -> None:
        async with serving(parts=PARTS) as server, server.client('reader') as http:
            for path in paths:
                await http.get(path, headers=headers or {})

    asyncio.run(asked())


def _servers(exporter: InMemorySpanExporter) -> list[ReadableSpan]:
    return [span for span in exporter.get_finished_spans() if span.kind is SpanKind.SERVER]


def test_a_request_is_one_span_named_after_its_route(exporter: InMemorySpanExporter) -> None:
    _ask('/test/me/lighthouse?q=lighthouse')
    (span,) = _servers(exporter)
    assert span.name == 'GET /test/me/{role}'
    assert dict(span.attributes or {}) == {
        'http.request.method': 'GET',
        'url.scheme': 'http',
        'http.route': '/test/me/{role}',
        'http.response.status_code': 200,
    }
    assert 'lighthouse' not in span.to_json()


def test_a_failure_is_told_by_its_status_and_not_in_its_words(exporter: InMemorySpanExporter) -> None:
    _ask('/test/raise/broken', '/test/raise/missing', '/nothing/lighthouse')
    failed, missing, nowhere = _servers(exporter)
    assert failed.status.status_code is StatusCode.ERROR
    assert (failed.attributes or {})['error.type'] == '500'
    assert not failed.events
    assert missing.status.status_code is StatusCode.UNSET
    assert nowhere.name == 'GET'
    assert 'lighthouse' not in ' '.join(span.to_json() for span in exporter.get_finished_spans())


def test_a_span_goes_on_with_the_trace_of_the_client(exporter: InMemorySpanExporter) -> None:
    parent = '00-0123456789abcdef0123456789abcdef-0123456789abcdef-01'
    _ask('/test/writer', headers={'traceparent': parent})
    (span,) = _servers(exporter)
    assert span.parent is not None
    assert f'{span.parent.trace_id:032x}-{span.parent.span_id:016x}' in parent


def test_probes_have_no_spans(exporter: InMemorySpanExporter) -> None:
    _ask('/health', '/ready')
    assert _servers(exporter) == []


def test_a_provider_that_fails_fails_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def get_tracer(self, *_: object, **__: object) -> Any:
            raise RuntimeError('no')

    monkeypatch.setattr(trace, 'get_tracer_provider', Broken)

    async def asked() -> None:
        async with serving(parts=PARTS) as server, server.client('reader') as http:
            assert (await http.get('/test/me/x')).status_code == 200

    asyncio.run(asked())


def test_requests_are_measured_by_route_and_status(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    monkeypatch.setattr(metrics, 'get_meter_provider', lambda: provider)
    _ask('/test/me/lighthouse?q=lighthouse', '/test/writer')
    data = reader.get_metrics_data()
    assert data is not None
    measured = {
        (point.attributes['http.route'], point.attributes['http.response.status_code'])
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == 'http.server.request.duration'
        for point in metric.data.data_points
    }
    assert measured == {('/test/me/{role}', 200), ('/test/writer', 403)}
    assert 'lighthouse' not in data.to_json()
    provider.shutdown()


def test_the_log_names_route_status_and_key(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger='memoranda.server.access'):
        _ask('/test/me/lighthouse?q=lighthouse')
    (line,) = [record.getMessage() for record in caplog.records if record.name == 'memoranda.server.access']
    assert line.startswith('GET /test/me/{role} 200 ')
    assert line.endswith(' key:reader-all')
    assert 'lighthouse' not in caplog.text
