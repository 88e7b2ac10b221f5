"""Sealed data: only the person's key opens them."""

from __future__ import annotations

import base64
from datetime import date

import pytest
import sqlalchemy as sa

from services.identity.domain.people import NOBODY, Profile
from services.identity.keys import KeyStore
from services.identity.sealing import DIGESTS, REQUESTS, BrokenSeal, KeyDestroyed, KeyRing
from services.identity.storage import tables
from shared.runtime.migrations import upgrade
from tests.unit.identity.platform_of_identity import Platform

PROFILE = Profile("zoe@example.org", "Zoé", "Martin", date(2003, 6, 15), "80000", "+33610000001")


@pytest.fixture
def store(platform: Platform) -> KeyStore:
    return platform.keys


@pytest.fixture
def keys(store: KeyStore) -> KeyRing:
    ring = KeyRing(store)
    ring.make(1, 2)
    return ring


def test_the_same_key_opens_a_seal(keys, store):
    sealed = keys.seal_profile(1, PROFILE)
    assert b"example" not in base64.urlsafe_b64decode(sealed)
    assert keys.open_profile(1, sealed) == PROFILE
    assert KeyRing(store).open_profile(1, sealed) == PROFILE


def test_equal_contents_have_different_seals(keys):
    assert len({keys.seal(1, {"a": 1}) for _ in range(50)}) == 50


def test_a_seal_is_bound_to_its_account(keys):
    sealed = keys.seal_profile(1, PROFILE)
    keys._known[2] = keys._known[1]  # the same key: the number is associated data of the seal
    with pytest.raises(BrokenSeal):
        keys.open(2, sealed)


def test_an_altered_seal_is_detected(keys):
    raw = bytearray(base64.urlsafe_b64decode(keys.seal_profile(1, PROFILE)))
    for place in (0, 12, len(raw) - 1):
        altered = raw.copy()
        altered[place] ^= 1
        with pytest.raises(BrokenSeal):
            keys.open(1, base64.urlsafe_b64encode(bytes(altered)).decode())


def test_a_destroyed_key_opens_nothing(keys, store):
    sealed = keys.seal_profile(1, PROFILE)
    store.destroy([1])
    after = KeyRing(store)
    with pytest.raises(KeyDestroyed):
        after.open(1, sealed)
    assert after.open_profile(1, sealed) == NOBODY
    with pytest.raises(KeyDestroyed):
        after.seal(1, {})


def test_a_digest_depends_on_the_kind_and_the_key(keys, store):
    digest = keys.digest("email", "zoe@example.org")
    assert digest == KeyRing(store).digest("email", "zoe@example.org")
    assert digest != keys.digest("phone", "zoe@example.org") and digest != keys.digest("email", "zoe@example.com")
    store.destroy([DIGESTS])
    store.put({DIGESTS: b"x" * 32})
    assert KeyRing(store).digest("email", "zoe@example.org") != digest


def test_each_platform_has_random_keys():
    # Migrated here: other tests start from copies of one migrated database.
    found = set()
    for _ in range(2):
        engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
        upgrade(engine, "identity")
        with engine.connect() as connection:
            rows = connection.execute(sa.select(tables.former_person_keys)).all()
        assert {row.account_id for row in rows} == {DIGESTS, REQUESTS}
        found.update(row.key for row in rows)
    assert len(found) == 4
