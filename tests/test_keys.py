"""`memory.keys`: making, listing, rotating and revoking API keys."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from _fakes import fast
from memoranda import Memory, Scope
from memoranda.errors import Conflict, InvalidInput, InvalidScope, KeyNotFound
from memoranda.keys import ROLES, digest_of, make_key, make_key_of, well_formed
from memoranda.records import now

HOUR = timedelta(hours=1)


@pytest.fixture
def memory(tmp_path: Path):
    with fast(tmp_path / 'm.db') as opened:
        yield opened


def test_a_secret_has_256_random_bits_a_prefix_and_a_checksum() -> None:
    secrets = {make_key('default', name='a', role='reader').secret for _ in range(100)}
    assert len(secrets) == 100
    for secret in secrets:
        assert secret.startswith('memoranda_')
        assert len(secret) == len('memoranda_') + 43 + 6
        assert well_formed(secret)


@pytest.mark.parametrize('change', [lambda s: s[:-1], lambda s: s + 'a', lambda s: s.swapcase(), lambda s: 'x' + s[1:]])
def test_what_was_mistyped_is_no_key(change: Any) -> None:
    assert not well_formed(change(make_key('default', name='a', role='reader').secret))
    assert not well_formed('memoranda_')
    assert not well_formed('')


def test_one_changed_character_is_noticed() -> None:
    secret = make_key('default', name='a', role='reader').secret
    for place in range(len('memoranda_'), len(secret)):
        other = secret[:place] + ('a' if secret[place] != 'a' else 'b') + secret[place + 1 :]
        assert not well_formed(other)


def test_only_a_hash_of_a_key_is_stored(memory: Memory, tmp_path: Path) -> None:
    made = memory.keys.create('app', role='writer')
    memory.close()
    held = b''.join(path.read_bytes() for path in tmp_path.iterdir())
    assert made.secret.encode() not in held
    assert made.secret.removeprefix('memoranda_')[:20].encode() not in held
    assert digest_of(made.secret).hex().encode() in held


def test_a_secret_is_not_shown_by_accident() -> None:
    made = make_key('default', name='a', role='reader')
    assert made.secret not in repr(made)
    assert made.secret not in str(made.key)


def test_a_key_tells_who_made_it_and_what_it_may_do(memory: Memory) -> None:
    until = now() + HOUR
    made = memory.acting_as('ops:jane').keys.create('app', role='reviewer', user_id='ana', expires_at=until)
    (key,) = memory.keys.list()
    assert key == made.key == memory.keys.get(made.key.id)
    assert (key.project, key.name, key.role, key.user_id) == ('default', 'app', 'reviewer', 'ana')
    assert (key.created_by, key.expires_at, key.hint) == ('ops:jane', until, made.secret[-4:])


def test_keys_are_of_one_project(memory: Memory) -> None:
    made = memory.in_project('acme').keys.create('app')
    assert memory.keys.list() == []
    assert memory.in_project('acme').keys.list() == [made.key]
    for attempt in (memory.keys.get, memory.keys.revoke, memory.keys.rotate):
        with pytest.raises(KeyNotFound, match='does not exist in this project'):
            attempt(made.key.id)


def test_a_memory_that_is_bound_to_somebody_has_no_keys(memory: Memory) -> None:
    with pytest.raises(InvalidScope, match='belong to a project'):
        _ = memory.scoped(Scope(user_id='ana')).keys


@pytest.mark.parametrize(
    ('given', 'said'),
    [
        ({'name': ''}, 'name'),
        ({'name': ' app'}, 'name'),
        ({'name': 'a\nb'}, 'name'),
        ({'name': 'a' * 101}, 'name'),
        ({'name': 3}, 'name'),
        ({'role': 'root'}, 'role'),
        ({'user_id': '*'}, 'user_id'),
        ({'user_id': ''}, 'user_id'),
        ({'expires_at': '2001-01-01'}, 'expires_at'),
        ({'expires_at': 'soon'}, 'expires_at'),
    ],
)
def test_what_can_not_be_a_key_is_refused(memory: Memory, given: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        memory.keys.create(**{'name': 'app', **given})
    assert memory.keys.list(include_ended=True) == []


def test_a_name_is_taken_while_its_key_is_in_force(memory: Memory) -> None:
    made = memory.keys.create('app')
    with pytest.raises(Conflict, match='rotate that key'):
        memory.keys.create('app')
    memory.keys.revoke(made.key.id)
    memory.keys.create('app')
    assert len(memory.keys.list(include_ended=True)) == 2


def test_a_rotated_key_keeps_name_role_and_user(memory: Memory) -> None:
    old = memory.keys.create('app', role='writer', user_id='ana', expires_at=now() + 24 * HOUR)
    new = memory.keys.rotate(old.key.id)
    assert new.secret != old.secret
    assert (new.key.name, new.key.role, new.key.user_id, new.key.replaces) == ('app', 'writer', 'ana', old.key.id)
    assert new.key.expires_at is not None
    assert old.key.expires_at is not None
    assert new.key.expires_at > old.key.expires_at
    assert memory.keys.list() == [new.key]


def test_both_keys_are_in_force_while_they_overlap(memory: Memory) -> None:
    old = memory.keys.create('app')
    new = memory.keys.rotate(old.key.id, overlap_seconds=3600)
    assert {key.id for key in memory.keys.list()} == {old.key.id, new.key.id}
    assert memory.keys.get(old.key.id).expires_at == new.key.created_at + HOUR
    for wrong in (-1, 1e12, True):
        with pytest.raises(InvalidInput, match='overlap_seconds'):
            memory.keys.rotate(new.key.id, overlap_seconds=wrong)


def test_a_key_that_ended_is_not_rotated(memory: Memory) -> None:
    made = memory.keys.create('app')
    ended = memory.keys.revoke(made.key.id)
    assert ended.revoked_at is not None
    with pytest.raises(KeyNotFound, match='has ended'):
        memory.keys.rotate(made.key.id)
    assert memory.keys.revoke(made.key.id) == ended


def test_the_audit_chain_tells_of_every_change(memory: Memory) -> None:
    wide = memory.project_wide()
    acting = memory.acting_as('ops:jane', reason='ticket 7')
    made = acting.keys.create('app', user_id='ana')
    memory.keys.revoke(acting.keys.rotate(made.key.id).key.id)
    entries = wide.audit_log().items
    assert [(e.op, e.actor, e.reason) for e in entries] == [
        ('key', 'ops:jane', 'ticket 7'),
        ('key', 'ops:jane', 'ticket 7'),
        ('key', 'user', ''),
    ]
    assert 'ana' not in str(entries)
    assert wide.verify().ok


def test_whoever_is_forgotten_has_no_keys(memory: Memory) -> None:
    memory.add('I like tea', user_id='ana')
    memory.keys.create('of ana', user_id='ana')
    memory.keys.create('of ben', user_id='ben')
    kept = memory.keys.create('of all')
    memory.forget(user_id='ana')
    memory.delete_all(user_id='ben')  # of whom nothing else is stored
    assert memory.keys.list(include_ended=True) == [kept.key]


def test_whether_there_is_any_key_at_all(memory: Memory) -> None:
    assert not memory.keys.any_in_force()
    made = memory.in_project('acme').keys.create('app')
    assert memory.keys.any_in_force()
    memory.in_project('acme').keys.revoke(made.key.id)
    assert not memory.keys.any_in_force()


def test_a_process_may_be_handed_its_keys() -> None:
    made = make_key('default', name='a', role='admin')
    again = make_key_of(made.secret, 'default', name='a', role='admin')
    assert again.digest == made.digest
    with pytest.raises(InvalidInput, match='make_key'):
        make_key_of('secret', 'default', name='a', role='admin')


def test_roles_are_in_order() -> None:
    assert ROLES == ('reader', 'writer', 'reviewer', 'admin')


def test_a_key_in_a_message_is_not_remembered(memory: Memory) -> None:
    secret = make_key('default', name='a', role='admin').secret
    memory.add(f'use {secret} from now on', user_id='ana')
    assert [episode.text for episode in memory.episodes(user_id='ana').items] == ['use [api key] from now on']
