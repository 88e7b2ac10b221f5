"""Personal data sealed with a key per person, and digests that compare without telling.

A key stands in the store of keys, nowhere else: destroying it erases the person from the log, its backups
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

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.identity.domain.people import NOBODY, Profile
from services.identity.keys import KeyStore

DIGESTS = 0
"""The number of the key of the digests: account numbers begin at 1."""
REQUESTS = -1
"""That of the key that seals requests until they are done: they are nobody's yet."""
_NONCE = 12


class Erased(LookupError):
    """The key was destroyed: what it sealed can be opened by nobody."""


class BrokenSeal(ValueError):
    """Altered, or another person's."""


class KeyRing:
    """The keys that are in use within one transaction or one read."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys
        self._known: dict[int, bytes | None] = {}

    def make(self, account: int) -> None:
        """Kept at once, before the account is committed."""
        self.make_many([account])

    def make_many(self, accounts: Iterable[int]) -> None:
        self._known.update(self._keys.put({account: AESGCM.generate_key(256) for account in accounts}))

    def load(self, accounts: Iterable[int]) -> None:
        """Reads many keys at once, for a query in bulk."""
        wanted = [account for account in dict.fromkeys(accounts) if account not in self._known]
        if wanted:
            self._known.update(dict.fromkeys(wanted))
            self._known.update(self._keys.read(wanted))

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
