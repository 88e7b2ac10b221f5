"""Whose API key it is: identity knows, and the answer is kept for a few seconds."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable

from shared.contracts.calls import identity
from shared.kernel.errors import DomainError, Unauthorized
from shared.messaging.bus import Bus

KEPT_SECONDS = 5.0
"""A key that was deleted may still be accepted this long."""

KEPT_KEYS = 2_000
LONGEST_KEY = 200


class BadApiKey(Unauthorized):
    code = "token-invalid"


class ApiKeys:
    def __init__(self, bus: Bus, machine_time: Callable[[], float] = time.monotonic) -> None:
        self._bus = bus
        self._time = machine_time
        self._kept: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def offerer_of(self, key: str) -> int:
        """The structure whose key it is. Raises BadApiKey; Unavailable when identity does not answer."""
        if not key or len(key) > LONGEST_KEY:
            raise BadApiKey("the API key is not valid")
        digest = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
        kept = self._kept.get(digest)
        if kept and kept[0] > self._time():
            return kept[1]
        offerer_id = self._ask(key)
        self._keep(digest, offerer_id)
        return offerer_id

    def _ask(self, key: str) -> int:
        try:
            return int(self._bus.query(identity.ApiKey(key=key), batched=True)["offererId"])
        except DomainError as refusal:
            if refusal.status in (401, 404, 422):
                raise BadApiKey("the API key is not valid") from None
            raise

    def _keep(self, digest: str, offerer_id: int) -> None:
        self._kept[digest] = (self._time() + KEPT_SECONDS, offerer_id)
        self._kept.move_to_end(digest)
        while len(self._kept) > KEPT_KEYS:
            self._kept.popitem(last=False)
