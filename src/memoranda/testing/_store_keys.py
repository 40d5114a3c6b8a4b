"""The part of `StoreSuite` about API keys."""

# the names of the tests say what they check
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from memoranda.errors import Conflict
from memoranda.keys import NewKey, Role, make_key
from memoranda.records import new_id
from memoranda.scope import Scope
from memoranda.stores.base import Store
from memoranda.stores.chains import Chain, Seen
from memoranda.testing._bench import raises
from memoranda.testing._store_base import StoreTests

__all__ = ['KeyTests']

HOUR = timedelta(hours=1)
GLOBAL = Scope.GLOBAL.home('default')


class KeyTests(StoreTests):
    """Who is known by which secret, and for how long."""

    def _key(
        self, store: Store, name: str = 'app', *, project: str = 'default', role: Role = 'writer', user: str = ''
    ) -> NewKey:
        made = make_key(project, name=name, role=role, user_id=user or None)
        self.run(store.add_key(made.key, made.digest))
        return made

    def _told(self, store: Store) -> list[str | None]:
        """What the chain tells of keys."""
        told: list[str | None] = []

        def visit(_: Chain, seen: Sequence[Seen]) -> bool:
            told.extend(one.link.after for one in seen if one.link.op == 'key')
            return True

        for chain in self.run(store.chains([GLOBAL], project=None, limit=1)):
            self.run(store.walk(chain, visit))
        return told

    def test_a_key_is_found_by_the_digest_of_its_secret_alone(self, store: Store) -> None:
        self.bench(store)
        made = self._key(store, user='ana')
        assert self.run(store.key_by_digest(made.digest)) == (made.key, made.digest)
        assert self.run(store.key_by_digest(bytes(32))) is None

    def test_keys_are_listed_by_project_the_latest_first(self, store: Store) -> None:
        self.bench(store)
        first, second = self._key(store, 'one').key, self._key(store, 'two').key
        other = self._key(store, 'one', project='other').key
        assert list(self.run(store.keys('default'))) == [second, first]
        assert list(self.run(store.keys('other'))) == [other]
        assert list(self.run(store.keys(None))) == [other, second, first]
        assert list(self.run(store.keys('nobody'))) == []

    def test_two_keys_in_force_do_not_share_a_name(self, store: Store) -> None:
        self.bench(store)
        made = self._key(store)
        with raises(Conflict):
            self._key(store)
        self.run(store.revoke_key(made.key.id, project='default', at=made.key.created_at, actor='me'))
        self._key(store)

    def test_a_revoked_key_stays_revoked(self, store: Store) -> None:
        self.bench(store)
        made = self._key(store)
        at = made.key.created_at + HOUR
        ended = self.run(store.revoke_key(made.key.id, project='default', at=at, actor='me'))
        assert ended == replace(made.key, revoked_at=at)
        again = self.run(store.revoke_key(made.key.id, project='default', at=at + HOUR, actor='me'))
        assert again == ended
        found = self.run(store.key_by_digest(made.digest))
        assert found is not None
        assert not found[0].in_force(at)

    def test_a_key_of_another_project_can_not_be_ended(self, store: Store) -> None:
        self.bench(store)
        made = self._key(store)
        at = made.key.created_at
        assert self.run(store.revoke_key(made.key.id, project='other', at=at, actor='me')) is None
        assert self.run(store.revoke_key(new_id(), project='default', at=at, actor='me')) is None
        successor = make_key('other', name='app', role='admin', replaces=made.key.id)
        assert not self.run(store.rotate_key(made.key.id, successor.key, successor.digest, until=None))
        assert list(self.run(store.keys(None))) == [made.key]

    def test_a_key_that_is_replaced_ends_at_once_or_later(self, store: Store) -> None:
        self.bench(store)
        old = self._key(store)
        new = make_key('default', name='app', role='writer', replaces=old.key.id)
        until = new.key.created_at + HOUR
        assert self.run(store.rotate_key(old.key.id, new.key, new.digest, until=until))
        newest = make_key('default', name='app', role='writer', replaces=new.key.id)
        assert self.run(store.rotate_key(new.key.id, newest.key, newest.digest, until=None))
        found = {key.id: key for key in self.run(store.keys('default'))}
        assert found[old.key.id].expires_at == until
        assert found[new.key.id].revoked_at == newest.key.created_at
        assert found[newest.key.id] == newest.key
        late = make_key('default', name='app', role='writer', replaces=new.key.id)
        assert not self.run(store.rotate_key(new.key.id, late.key, late.digest, until=None))

    def test_when_a_key_was_used_is_kept_and_never_goes_back(self, store: Store) -> None:
        self.bench(store)
        made = self._key(store)
        at = made.key.created_at + HOUR
        self.run(store.note_key_uses({made.key.id: at, new_id(): at}))
        self.run(store.note_key_uses({made.key.id: at - HOUR}))
        assert [key.last_used_at for key in self.run(store.keys('default'))] == [at]

    def test_the_chain_tells_of_keys_and_not_whose_they_are(self, store: Store) -> None:
        self.bench(store)
        made = self._key(store, user='ana')
        self.run(store.revoke_key(made.key.id, project='default', at=made.key.created_at, actor='me'))
        told = self._told(store)
        assert len(told) == 2
        assert all(one is not None and made.key.id in one and 'ana' not in one for one in told)

    def test_who_is_erased_has_no_keys(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('Lives in Lisbon')
        kept = [self._key(store, 'all').key, self._key(store, 'ben', user='ben').key]
        kept.append(self._key(store, 'ana elsewhere', project='other', user='ana').key)
        self._key(store, 'ana', user='ana')
        nobody = Scope(user_id='nobody')
        self._key(store, 'nobody', user='nobody')
        self.run(store.erase(Scope(user_id='ana', run_id='r1').erasure('default')))
        assert len(self.run(store.keys(None))) == 5
        self.run(store.erase(Scope(user_id='ana').erasure('default')))
        self.run(store.erase(nobody.erasure('default')))
        assert {key.id for key in self.run(store.keys(None))} == {key.id for key in kept}
