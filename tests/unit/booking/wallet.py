"""A small wallet for booking's tests: amounts reserved by (booking, attempt), and refusals that stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.kernel.errors import Conflict, OutcomePending


class InsufficientCredit(Conflict):
    code = "insufficient-credit"


class Released(Conflict):
    code = "released"


@dataclass
class WalletDouble:
    """``silent_after``: how many more answers get through; those after are taken into account and then lost."""

    credit: int = 30_000
    reserved: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    refused: dict[tuple[int, int], Conflict] = field(default_factory=dict)
    silent_after: int | None = None
    calls: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def available(self, person_id: int) -> int:
        return self.credit - sum(amount for person, amount in self.reserved.values() if person == person_id)

    def reserve(self, data: Mapping[str, Any], _caller: Any) -> dict[str, Any]:
        self.calls.append(("reserve", data))
        self._take(data)
        self._answer()
        if (data["bookingId"], data["attempt"]) in self.refused:
            raise self.refused[data["bookingId"], data["attempt"]]
        return {}

    def release(self, data: Mapping[str, Any], _caller: Any) -> dict[str, Any]:
        self.calls.append(("release", data))
        self.let_go(data["bookingId"], data["attempt"])
        self._answer()
        return {}

    def let_go(self, booking_id: int, attempt: int) -> None:
        self.reserved.pop((booking_id, attempt), None)
        self.refused.setdefault((booking_id, attempt), Released())

    def _take(self, data: Mapping[str, Any]) -> None:
        this = data["bookingId"], data["attempt"]
        if this in self.reserved or this in self.refused:
            return
        if data["amountCents"] > self.available(data["personId"]):
            self.refused[this] = InsufficientCredit()
        else:
            self.reserved[this] = data["personId"], data["amountCents"]

    def _answer(self) -> None:
        if self.silent_after is not None:
            if self.silent_after <= 0:
                raise OutcomePending
            self.silent_after -= 1
