"""Structures, young people, offers and bookings for the system tests, each with unique identifiers."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from stdnum import iban as iban_numbers
from stdnum import luhn

from demo import sign_up
from demo.founding_document import BankDetails, Structure, Venue, YoungPerson
from demo.sign_up import Actor, Beneficiary
from shared.kernel.time import instant_text
from tests.platform import Answer, Platform

EIGHTEEN_IN_2021 = date(2003, 6, 15)
"""A date of birth: 18 from June 2021, 19 in June 2022."""


@dataclass(frozen=True)
class Published:
    offer_id: int
    stock_id: int


class Scenario:
    """Creates actors that no other test uses, so that tests can share a platform."""

    def __init__(self, platform: Platform, first: int | None = None) -> None:
        """``first``: the first number for identifiers; by default they continue those of the platform."""
        self.platform = platform
        self._numbers = platform.numbers if first is None else itertools.count(first)

    # --- actors ----------------------------------------------------------------------------------------------------

    def actor(self, *, venues: int = 1, bank: bool = True) -> Actor:
        """A validated structure with venues and, by default, accepted bank details."""
        structure = a_structure(next(self._numbers), venues)
        client, mailbox = self.platform.client, self.platform.mailbox
        actor = sign_up.register(client, mailbox, structure)
        for venue in structure.venues:
            sign_up.open_venue(client, actor, venue)
        if bank:
            assert structure.bank is not None
            sign_up.give_bank_details(client, actor, structure.bank)
        self.platform.wait_idle()
        return actor

    def venue(self, actor: Actor, number: int = 0) -> int:
        return actor.venue_ids[actor.structure.venues[number].name]

    def siret(self, actor: Actor, number: int = 0) -> str:
        siret = actor.structure.venues[number].siret
        assert siret is not None
        return siret

    def digital_venue(self, actor: Actor) -> int:
        """The venue for online offers, which every structure has from the start."""
        offerer = sign_up.own_offerer(self.platform.client, actor.structure, actor.token)
        return next(int(venue["venueId"]) for venue in offerer["venues"] if venue["siret"] is None)

    def young_person(self, birth: date | None = None) -> Beneficiary:
        """A beneficiary with a credit; by default 18 years old for some months."""
        person = a_young_person(next(self._numbers), birth or self._eighteen())
        return sign_up.become_beneficiary(self.platform.client, self.platform.mailbox, person)

    def _eighteen(self) -> date:
        some_months_ago = self.platform.now().date() - timedelta(days=100)
        return some_months_ago.replace(year=some_months_ago.year - 18, day=min(some_months_ago.day, 28))

    def account_id(self, person: Beneficiary) -> int:
        return int(self.platform.get("/v1/me", person.token)["accountId"])

    def api_key(self, actor: Actor) -> str:
        made = self.platform.post(f"/v1/pro/offerers/{actor.offerer_id}/api-keys", {}, actor.token)
        assert made.status == 201, made
        return str(made.json["key"])

    # --- offers -----------------------------------------------------------------------------------------------

    def publish(
        self,
        actor: Actor,
        price: int,
        quantity: int | None = None,
        *,
        subcategory: str = "LIVRE_PAPIER",
        begins: datetime | None = None,
        venue: int | None = None,
        name: str = "Livre",
        stock: dict[str, Any] | None = None,
        **offer: Any,
    ) -> Published:
        """Publishes an offer with a stock, bookable on return. ``offer`` and ``stock`` are further fields of each."""
        of = self.venue(actor) if venue is None else venue
        body = {"name": name, "subcategory": subcategory, "description": "", **offer}
        made = self.platform.post(f"/v1/pro/venues/{of}/offers", body, actor.token)
        assert made.status == 201, made
        offer_id = made.json["offerId"]
        return Published(offer_id, self.add_stock(actor, offer_id, price, quantity, begins, **(stock or {})))

    def add_stock(
        self, actor: Actor, offer_id: int, price: int, quantity: int | None, begins: datetime | None, **more: Any
    ) -> int:
        body: dict[str, Any] = {"priceCents": price, "quantity": quantity, **more}
        if begins is not None:
            body |= {"beginningAt": instant_text(begins), "bookingLimitAt": instant_text(begins)}
        added = self.platform.post(f"/v1/pro/offers/{offer_id}/stocks", body, actor.token)
        assert added.status == 201, added
        return int(added.json["stockId"])

    # --- bookings ----------------------------------------------------------------------------------------------

    def book(self, person: Beneficiary, stock_id: int, quantity: int = 1, key: str | None = None) -> Answer:
        body = {"stockId": stock_id, "quantity": quantity}
        return self.platform.post("/v1/bookings", body, person.token, key=key)

    def make_booking(
        self, person: Beneficiary, stock_id: int, quantity: int = 1, key: str | None = None
    ) -> dict[str, Any]:
        """Books, asserts success and returns the booking."""
        answer = self.book(person, stock_id, quantity, key)
        assert answer.status == 201, answer
        booking: dict[str, Any] = answer.json
        return booking

    def booking(self, person: Beneficiary, booking_id: int) -> dict[str, Any]:
        found: dict[str, Any] = self.platform.get(f"/v1/me/bookings/{booking_id}", person.token)
        return found

    def cancel(self, person: Beneficiary, booking_id: int, key: str | None = None) -> Answer:
        return self.platform.post(f"/v1/me/bookings/{booking_id}/cancel", {}, person.token, key=key)

    def remaining_credit(self, person: Beneficiary) -> int:
        """In cents."""
        left: int = self.platform.get("/v1/me/credit", person.token)["remainingCents"]
        return left

    def remaining_places(self, published: Published) -> int | None:
        """The remaining quantity of the stock in the public catalogue; None if unlimited."""
        offer = self.platform.get(f"/v1/offers/{published.offer_id}")
        left: int | None = next(one["remaining"] for one in offer["stocks"] if one["stockId"] == published.stock_id)
        return left

    def desk(self, action: str, countermark: str, token: str, *, surface: str = "/v2/bookings") -> Answer:
        """``action``: ``look-up``, ``use``, ``keep`` or ``cancel``."""
        if action == "look-up":
            return self.platform.call("GET", f"{surface}/token/{countermark}", token=token)
        return self.platform.call("PATCH", f"{surface}/{action}/token/{countermark}", token=token)

    def use_at_desk(self, actor: Actor, booking: dict[str, Any]) -> None:
        """Validates the booking at the desk and asserts success."""
        answer = self.desk("use", booking["countermark"], actor.token)
        assert answer.status == 204, answer

    def make_used_booking(self, actor: Actor, person: Beneficiary, price: int, **offer: Any) -> dict[str, Any]:
        """Publishes an offer, books it and validates the booking at the desk."""
        booking = self.make_booking(person, self.publish(actor, price, **offer).stock_id)
        self.use_at_desk(actor, booking)
        return booking


def a_structure(number: int, venues: int) -> Structure:
    siren = with_check_digit(f"9{number:07d}")
    return Structure(
        name=f"Structure {number}",
        siren=siren,
        first_name="Sarah",
        last_name=f"Lang{number}",
        email=f"pro{number}@example.org",
        phone="+33631441045",
        bank=BankDetails(iban_of(number), "BNPAFRPPXXX", f"Structure {number}"),
        venues=tuple(a_venue(siren, number, index) for index in range(venues)),
    )


def a_venue(siren: str, number: int, index: int) -> Venue:
    return Venue(
        name=f"Cinéma Star {number}-{index}",
        siret=with_check_digit(f"{siren}{index + 1:04d}"),
        venue_type="MOVIE",
        address="27 rue du Jeu des Enfants",
        postal_code="67000",
        city="Strasbourg",
        latitude=48.58309,
        longitude=7.74312,
        offers=(),
    )


def a_young_person(number: int, birth: date) -> YoungPerson:
    return YoungPerson(
        first_name="Zoé",
        last_name=f"Martin{number}",
        email=f"zoe{number}@example.org",
        birth=birth,
        phone=f"+336{20000000 + number}",
        document_number=str(880000000000 + number),
        address="1 rue de la Paix",
        postal_code="80000",
        city="Amiens",
    )


def add_document(platform: Platform, path: str, content: bytes, token: str) -> Answer:
    """Uploads a document for bank details as a browser's form does."""
    boundary = "a-part-begins-here"
    form = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="kind"\r\n\r\nrib\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
    )
    body = form.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return platform.call("POST", path, body, token, headers=headers)


def with_check_digit(digits: str) -> str:
    return digits + str(luhn.calc_check_digit(digits))


def iban_of(number: int) -> str:
    """A valid French IBAN with its national key and check digits."""
    bank, branch, account = 30004, number % 100_000, number
    key = 97 - (89 * bank + 15 * branch + 3 * account) % 97
    national = f"{bank:05d}{branch:05d}{account:011d}{key:02d}"
    return f"FR{iban_numbers.calc_check_digits('FR00' + national)}{national}"


def key() -> str:
    return str(uuid.uuid4())


__all__ = ["EIGHTEEN_IN_2021", "Actor", "Beneficiary", "Published", "Scenario", "add_document", "key"]
