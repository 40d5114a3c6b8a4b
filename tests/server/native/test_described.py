"""The OpenAPI document, and that it is true."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from _fakes import subprocess_environment
from _native import Api
from memoranda import (
    AddResult,
    Change,
    ContextBlock,
    Edit,
    Episode,
    Evidence,
    HistoryEntry,
    Hit,
    Job,
    MemoryRecord,
    Preview,
    ReadEntry,
    RetentionResult,
    ReviewItem,
    ReviewResult,
    Scope,
    Stats,
    Usage,
    Verification,
)
from memoranda.consent.audit import AuditEntry, Break, ChainHead
from memoranda.consent.forgetting import ErasureReport
from memoranda.consent.items import ReviewEvidence
from memoranda.profile import InvalidValue, ProfileField
from memoranda.server.native import models
from memoranda.stores.portable import Holdings
from memoranda.subject import ImportReport
from memoranda.write.cleaning import CleanResult


@pytest.fixture(scope='module')
def api(following: Callable[[], Api]) -> Api:
    return following()


METHODS = ('get', 'post', 'patch', 'put', 'delete')
ROOT = Path(__file__).parents[3]


def operations(api: Api) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in api.client.app.openapi()['paths'].items():  # type: ignore[attr-defined]
        if path.startswith('/v1/'):
            yield from ((method, path, item[method]) for method in METHODS if method in item)


def test_every_operation_says_what_it_is_and_what_can_go_wrong(api: Api) -> None:
    document = api.client.app.openapi()  # type: ignore[attr-defined]
    names: list[str] = []
    for method, path, operation in operations(api):
        where = f'{method} {path}'
        names.append(operation['operationId'])
        assert operation['summary'], where
        assert operation['description'], where
        assert operation['tags'][0] in {tag['name'] for tag in document['tags']}, where
        assert {name for way in operation['security'] for name in way} <= set(document['components']['securitySchemes'])
        assert {'400', '401', '403', '422', '429', '503'} <= set(operation['responses']), where
        for status, response in operation['responses'].items():
            if status >= '400':
                schema = response['content']['application/problem+json']['schema']
                assert (schema, list(response['content'])) == (
                    {'$ref': '#/components/schemas/Problem'},
                    ['application/problem+json'],
                ), where
    assert len(names) == len(set(names)) > 40


def test_every_body_and_every_path_parameter_has_an_example_that_works(api: Api) -> None:
    document = api.client.app.openapi()  # type: ignore[attr-defined]
    schemas = document['components']['schemas']
    for method, path, operation in operations(api):
        for parameter in operation.get('parameters', ()):
            if parameter['in'] in ('path', 'header'):
                assert parameter['schema']['examples'], (path, parameter['name'])
        body = operation.get('requestBody', {}).get('content', {}).get('application/json', {}).get('schema', {})
        if '$ref' not in body:
            continue
        name = body['$ref'].rpartition('/')[2]
        examples = schemas[name]['examples']
        assert examples, (method, path)
        for example in examples:
            getattr(models, name).model_validate(example)


def test_the_table_of_the_docs_is_the_list_of_routes_with_their_roles(api: Api) -> None:
    page = (ROOT / 'docs' / 'http-api.md').read_text(encoding='utf-8')
    told = {
        tuple(cell.strip(' `') for cell in line.split('|')[1:3])
        for line in page.splitlines()
        if line.startswith('| `') and '/v1/' in line
    }
    assert told == {
        (f'{method.upper()} {path}', operation['x-memoranda-role']) for method, path, operation in operations(api)
    }


@pytest.mark.parametrize(
    ('record', 'model', 'hidden', 'further'),
    [
        (MemoryRecord, models.Memory, set(), set()),
        (Scope, models.ScopeIds, set(), set()),
        (Evidence, models.Evidence, set(), set()),
        (Episode, models.Episode, set(), set()),
        (Edit, models.Edit, set(), set()),
        (Change, models.Change, set(), set()),
        (AddResult, models.Added, {'as_previewed', 'follower'}, set()),
        (Usage, models.Usage, set(), set()),
        (Preview, models.Preview, {'plan'}, set()),
        (Hit, models.Hit, set(), {'id', 'text'}),
        (ContextBlock, models.Context, set(), set()),
        (HistoryEntry, models.HistoryEntry, set(), set()),
        (Job, models.Job, {'payload', 'format'}, {'status'}),
        (ReviewItem, models.ReviewItem, set(), set()),
        (ReviewEvidence, models.ReviewEvidence, set(), set()),
        (ReviewResult, models.ReviewResult, set(), set()),
        (Holdings, models.Holdings, set(), set()),
        (ErasureReport, models.ErasureReport, {'found', 'searched'}, {'ok'}),
        (ImportReport, models.ImportReport, set(), set()),
        (AuditEntry, models.AuditEntry, set(), set()),
        (Break, models.Break, set(), set()),
        (ChainHead, models.ChainHead, set(), set()),
        (Verification, models.Verification, set(), {'ok'}),
        (ReadEntry, models.ReadEntry, set(), set()),
        (CleanResult, models.CleanResult, set(), set()),
        (RetentionResult, models.RetentionResult, set(), set()),
        (Stats, models.Stats, {'location', 'details'}, set()),
        (ProfileField, models.ProfileField, set(), {'confidence', 'valid_from', 'valid_to'}),
        (InvalidValue, models.InvalidValue, set(), set()),
    ],
)
def test_an_answer_has_the_fields_of_its_record(
    record: type[Any], model: type[models.Told], hidden: set[str], further: set[str]
) -> None:
    assert {field.name for field in dataclasses.fields(record)} - hidden | further == set(model.model_fields)


def test_a_client_reads_the_models_without_fastapi() -> None:
    code = (
        'import sys, memoranda.server.native.models as models; models.AddMemories(messages="x", user_id="ana");'
        'sys.exit(any(name in sys.modules for name in ("fastapi", "starlette", "apsw", "numpy")))'
    )
    subprocess.run([sys.executable, '-c', code], check=True, env=subprocess_environment())


def test_records_are_read_back_from_answers(api: Api) -> None:
    from pydantic import TypeAdapter

    memory_id = api.add('home.city = Lisbon', metadata={'ticket': 7})['id']
    answer = api.get(f'/v1/memories/{memory_id}')

    record = TypeAdapter(MemoryRecord).validate_json(answer.content)
    assert (record.id, record.scope, record.metadata) == (memory_id, Scope(user_id='ana'), {'ticket': 7})
    assert record.evidence[0].quote == 'home.city = Lisbon'
