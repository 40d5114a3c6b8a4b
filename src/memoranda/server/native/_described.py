"""What FastAPI can't know, put into the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from memoranda.server.native.models import FieldProblem, Problem

__all__ = ['describe']

_TAGS: Final = {
    'memories': 'Adding, listing, reading, correcting and retracting memories',
    'recall': "Searching, an agent's context, slots, messages",
    'jobs': 'Messages that are read in the background',
    'review': 'What waits for a person',
    'changes': 'What was changed, and taking it back',
    'subjects': 'Everything held on somebody: export, import, erasure',
    'audit': 'The audit chains',
    'upkeep': 'Profiles, maintenance, figures',
}
_REF: Final = '#/components/schemas/{model}'


def describe(document: dict[str, Any]) -> None:
    """Complete the document in place: tags, errors as problems, headers that are asked for."""
    document.setdefault('tags', []).extend({'name': name, 'description': told} for name, told in _TAGS.items())
    schemas = document.setdefault('components', {}).setdefault('schemas', {})
    for model in (Problem, FieldProblem):
        schema = model.model_json_schema(ref_template=_REF)
        schema.pop('$defs', None)
        schemas[model.__name__] = schema
    for operation in _ours(document):
        for status, response in operation['responses'].items():
            if status[0] in '45':
                response['content'] = {'application/problem+json': {'schema': {'$ref': _REF.format(model='Problem')}}}
        for parameter in operation.get('parameters', ()):
            _without_null(parameter)
            if operation['operationId'] == 'update_memory' and parameter['name'] == 'If-Match':
                parameter['required'] = True  # FastAPI would answer 422 without it; 428 says what is missing


def _without_null(parameter: dict[str, Any]) -> None:
    """In a URL or a header there is no null: a parameter is there or isn't."""
    schema = parameter['schema']
    kept = [form for form in schema.get('anyOf', ()) if form != {'type': 'null'}]
    if len(kept) == 1:
        del schema['anyOf']
        parameter['schema'] = {**kept[0], **schema}


def _ours(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        operation
        for item in document['paths'].values()
        for operation in item.values()
        if set(operation.get('tags', ())) & set(_TAGS)
    ]
