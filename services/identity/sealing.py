"""Personal data sealed with a key per person (crypto-shredding), and keyed digests to compare them by.

Keys are in the store of keys only: destroying one erases the person from the log, its backups and every replay. Seals
are AES-256-GCM with a random nonce; the account's number is their associated data, so one person's data cannot pass for
another's.
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
"""The number of the key of digests; account numbers begin at 1."""
REQUESTS = -1
"""The number of the key that seals deferred requests, which belong to no account yet."""
_NONCE_BYTES = 12


class KeyDestroyed(LookupError):
    """The key is destroyed: nobody can open what it sealed."""


class BrokenSeal(ValueError):
    """The sealed data were altered, or belong to another account."""


class KeyRing:
    """The keys that one transaction or one query uses, each read once."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys
        self._known: dict[int, bytes | None] = {}

    def make(self, *accounts: int) -> None:
        """Creates and commits the keys of new accounts, before the accounts are committed."""
        self._known.update(self._keys.put({account: AESGCM.generate_key(256) for account in accounts}))

    def load(self, accounts: Iterable[int]) -> None:
        """Reads the keys of many accounts by one statement."""
        wanted = [account for account in dict.fromkeys(accounts) if account not in self._known]
        if wanted:
            self._known.update(dict.fromkeys(wanted))
            self._known.update(self._keys.read(wanted))

    def seal(self, account: int, content: dict[str, Any]) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        text = json.dumps(content, ensure_ascii=False).encode()
        encrypted = AESGCM(self._key(account)).encrypt(nonce, text, _associated_data(account))
        return base64.urlsafe_b64encode(nonce + encrypted).decode()

    def open(self, account: int, sealed: str) -> dict[str, Any]:
        """Raises KeyDestroyed or BrokenSeal."""
        if not sealed:
            raise KeyDestroyed(account)
        key = self._key(account)
        raw = base64.urlsafe_b64decode(sealed)
        try:
            text = AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _associated_data(account))
        except InvalidTag:
            raise BrokenSeal(f"the sealed data of account {account} were altered") from None
        content: dict[str, Any] = json.loads(text)
        return content

    def seal_profile(self, account: int, profile: Profile) -> str:
        return self.seal(account, profile.to_json())

    def open_profile(self, account: int, sealed: str) -> Profile:
        """NOBODY for an erased person."""
        try:
            return Profile.from_json(self.open(account, sealed))
        except KeyDestroyed:
            return NOBODY

    def digest(self, kind: str, text: str) -> str:
        """Equal for equal texts of a kind. Nobody without the key can test a guess (HMAC)."""
        return hmac.new(self._key(DIGESTS), f"{kind}\x00{text}".encode(), hashlib.sha256).hexdigest()

    def _key(self, account: int) -> bytes:
        self.load([account])
        key = self._known[account]
        if key is None:
            raise KeyDestroyed(account)
        return key


def _associated_data(account: int) -> bytes:
    return b"account/%d" % account
