"""Personal data sealed with a key per person, and digests that compare without telling.

A key stands in ``person_keys``, nowhere else: destroying it erases the person from the log, its backups
and every replay. AES-256-GCM, a fresh nonce for each seal, bound to the account's number so that nobody's data can
pass for another's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.identity.domain.people import NOBODY, Profile
from services.identity.storage import person_keys
from shared.eventstore import sql

DIGESTS = 0
"""The row of ``person_keys`` that holds the key of the digests: account numbers begin at 1."""
REQUESTS = -1
"""The row of the key that seals requests until they are done: they are nobody's yet."""
_NONCE = 12


class Erased(LookupError):
    """The key was destroyed: what it sealed can be opened by nobody."""


class BrokenSeal(ValueError):
    """Altered, or another person's."""


class KeyRing:
    """The keys, within one transaction or one read."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._known: dict[int, bytes | None] = {}

    def make(self, account: int) -> None:
        key = AESGCM.generate_key(256)
        self._connection.execute(person_keys.insert().values(account_id=account, key=key))
        self._known[account] = key

    def load(self, accounts: Iterable[int]) -> None:
        """Reads many keys at once, for a query in bulk."""
        wanted = [account for account in dict.fromkeys(accounts) if account not in self._known]
        self._known.update(dict.fromkeys(wanted))
        if wanted:
            query = sa.select(person_keys).where(sql.among(self._connection, person_keys.c.account_id, wanted))
            self._known.update({row.account_id: bytes(row.key) for row in self._connection.execute(query)})

    def seal(self, account: int, content: dict[str, Any]) -> str:
        nonce = os.urandom(_NONCE)
        text = json.dumps(content, ensure_ascii=False).encode()
        return base64.urlsafe_b64encode(
            nonce + AESGCM(self._key(account)).encrypt(nonce, text, _bound(account))
        ).decode()

    def open(self, account: int, sealed: str) -> dict[str, Any]:
        """Raises Erased or BrokenSeal."""
        if not sealed:
            raise Erased(account)
        key = self._key(account)
        raw = base64.urlsafe_b64decode(sealed)
        try:
            content: dict[str, Any] = json.loads(AESGCM(key).decrypt(raw[:_NONCE], raw[_NONCE:], _bound(account)))
        except InvalidTag:
            raise BrokenSeal(f"what is sealed for account {account} was altered") from None
        return content

    def seal_profile(self, account: int, profile: Profile) -> str:
        return self.seal(account, profile.to_json())

    def open_profile(self, account: int, sealed: str) -> Profile:
        """An erased person is NOBODY."""
        try:
            return Profile.from_json(self.open(account, sealed))
        except Erased:
            return NOBODY

    def digest(self, kind: str, text: str) -> str:
        """Equal for equal texts of a kind; without the key nobody can test a guess."""
        return hmac.new(self._key(DIGESTS), f"{kind}\x00{text}".encode(), hashlib.sha256).hexdigest()

    def _key(self, account: int) -> bytes:
        self.load([account])
        key = self._known[account]
        if key is None:
            raise Erased(account)
        return key


def _bound(account: int) -> bytes:
    return b"account/%d" % account
