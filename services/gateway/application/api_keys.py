"""The structures of API keys: identity's answers, cached for a few seconds."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable

from shared.contracts.calls import identity
from shared.kernel.errors import DomainError, Unauthorized
from shared.messaging.bus import Bus

CACHE_SECONDS = 5.0
"""For so long a deleted key may still be accepted."""

MAX_CACHED_KEYS = 2_000
MAX_KEY_LENGTH = 200

_INVALID = "Cette clé d’API n’est pas valable : vérifiez-la, ou créez-en une autre."


class BadApiKey(Unauthorized):
    code = "token-invalid"


class ApiKeys:
    def __init__(self, bus: Bus, machine_time: Callable[[], float] = time.monotonic) -> None:
        self._bus = bus
        self._time = machine_time
        self._cache: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def offerer_of(self, key: str) -> int:
        """The structure of a key. Raises BadApiKey; Unavailable when identity does not answer."""
        if not key or len(key) > MAX_KEY_LENGTH:
            raise BadApiKey(_INVALID)
        digest = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
        cached = self._cache.get(digest)
        if cached and cached[0] > self._time():
            return cached[1]
        offerer_id = self._ask(key)
        self._store(digest, offerer_id)
        return offerer_id

    def _ask(self, key: str) -> int:
        try:
            return int(self._bus.query(identity.ApiKey(key=key), batched=True)["offererId"])
        except DomainError as refusal:
            if refusal.status in (401, 404, 422):
                raise BadApiKey(_INVALID) from None
            raise

    def _store(self, digest: str, offerer_id: int) -> None:
        self._cache[digest] = (self._time() + CACHE_SECONDS, offerer_id)
        self._cache.move_to_end(digest)
        while len(self._cache) > MAX_CACHED_KEYS:
            self._cache.popitem(last=False)
