"""Commands of booking to wallet that arrive twice or too late, as when a bus loses answers."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.chaos.fleet import Fleet
from tests.chaos.interception import told
from tests.chaos.load import Dataset

NEVER_BOOKED = 10**9
PRICE_CENTS = 100


@dataclass
class LateCommand:
    """``tell`` sends the command to wallet; ``complaint`` is part of what the oracle reports if wallet executes it."""

    fleet: Fleet
    dataset: Dataset
    booking: int = 0
    complaint: str = ""
    asked: dict[str, Any] | None = None

    def tell(self) -> dict[str, Any]:
        """Returns the envelope of the answer."""
        assert self.asked is not None
        return self._told("reserve", self.asked)

    # how it comes to that

    def booked(self) -> dict[str, Any]:
        """Makes a booking; its reservation is the command to repeat."""
        person = self.dataset.people[-1]
        for stock in self.dataset.quantities:
            token = self.dataset.token(person, "beneficiary")
            answer = self.fleet.post("/v1/bookings", {"stockId": stock, "quantity": 1}, token, key=str(uuid.uuid4()))
            if answer.status == 201:
                booking: dict[str, Any] = answer.json
                self._about(person, booking["bookingId"], booking["totalCents"])
                return booking
        raise AssertionError("nobody can book any more")

    def cancelled(self) -> None:
        booking, token = self.booked(), self.dataset.token(self.dataset.people[-1], "beneficiary")
        path = f"/v1/me/bookings/{booking['bookingId']}/cancel"
        assert self.fleet.post(path, {}, token).status == 200

    def released_first(self) -> None:
        """A release that arrives before its reservation, for a booking that does not exist."""
        self._about(self.dataset.people[-1], NEVER_BOOKED + int(uuid.uuid4().int % 1_000_000), PRICE_CENTS)
        assert self.asked is not None
        attempt = {name: self.asked[name] for name in ("bookingId", "attempt", "personId")}
        assert self._told("release", attempt) == {"result": {}}

    def _about(self, person: int, booking: int, cents: int) -> None:
        self.booking = booking
        money = {"amountCents": cents, "digital": False, "physical": True}
        self.asked = {"bookingId": booking, "attempt": 1, "personId": person, **money}

    def _told(self, name: str, data: dict[str, Any]) -> dict[str, Any]:
        answer = told(self.fleet.namespace, "wallet", name, data)
        return {part: answer[part] for part in ("result", "refused") if part in answer}


def repeated(late: LateCommand) -> LateCommand:
    late.booked()
    late.complaint = f"booking {late.booking}: its credit was taken 2 times"
    return late


def after_its_release(late: LateCommand) -> LateCommand:
    late.cancelled()
    late.complaint = f"booking {late.booking}: its credit is held 1 times, and it is cancelled"
    return late


def after_an_early_release(late: LateCommand) -> LateCommand:
    late.released_first()
    late.complaint = f"credit is held for booking {late.booking}, which there is not"
    return late


LATE_COMMANDS: Mapping[str, Callable[[LateCommand], LateCommand]] = {
    "again": repeated,
    "after its release": after_its_release,
    "after it was given up": after_an_early_release,
}
