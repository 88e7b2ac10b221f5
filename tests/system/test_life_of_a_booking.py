"""The life of a booking, from the founding document: from a SIREN to the reconciled transfer."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from demo import sign_up
from shared.kernel.time import parse_instant
from tests.platform import Platform
from tests.system.conftest import own_platform
from tests.system.money_files import Finance, reimbursements
from tests.system.scenario import EIGHTEEN_IN_2021, Actor, Beneficiary, Published, Scenario, a_structure, a_young_person

platform = own_platform

EXECUTED = True
CONCERT_AT = datetime(2021, 11, 10, 19, tzinfo=UTC)
ALPHABET = set("ABCDEFGHJKLMNPQRSTUVWXYZ234567")


def test_booking_is_paid_and_reconciled(scenario: Scenario) -> None:
    life = Life(scenario)
    life.structure_registers()
    life.young_person_gets_a_credit()
    life.person_searches_and_books()
    life.desk_and_timer_validate()
    life.payout_is_closed_and_sent()
    life.accounts_are_reconciled()


class Life:
    """Each step depends on the previous ones."""

    actor: Actor
    person: Beneficiary
    concert: Published
    book: Published
    visit: Published
    bookings: dict[str, dict[str, Any]]

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.platform: Platform = scenario.platform
        self.finance = Finance(scenario.platform)

    def structure_registers(self) -> None:
        client, mailbox = self.platform.client, self.platform.mailbox
        structure = a_structure(7_000_001, 1)
        self.actor = sign_up.register(client, mailbox, structure)
        offerer = sign_up.own_offerer(client, structure, self.actor.token)
        assert (offerer["status"], offerer["attachment"]) == ("validated", "approved")
        assert [venue["siret"] for venue in offerer["venues"]] == [None]  # the digital venue comes with the structure
        sign_up.open_venue(client, self.actor, structure.venues[0])
        assert structure.bank is not None
        sign_up.give_bank_details(client, self.actor, structure.bank)
        self.concert = self.scenario.publish(
            self.actor, 2550, 2, subcategory="CONCERT", begins=CONCERT_AT, name="Concert de rentrée"
        )
        self.book = self.scenario.publish(self.actor, 1090, 10, name="Livre trop sympa")
        self.visit = self.scenario.publish(
            self.actor, 0, 5, subcategory="VISITE", begins=CONCERT_AT + timedelta(days=10), name="Visite libre"
        )
        counters = self.counters()
        assert counters == {"activeOffers": 3, "ongoingBookings": 0, "validatedBookings": 0, "soldOutOffers": 0}

    def counters(self) -> dict[str, int]:
        self.platform.wait_idle()
        offerer = sign_up.own_offerer(self.platform.client, self.actor.structure, self.actor.token)
        found: dict[str, int] = next(venue["counters"] for venue in offerer["venues"] if venue["siret"])
        return found

    def young_person_gets_a_credit(self) -> None:
        client, mailbox = self.platform.client, self.platform.mailbox
        self.person = sign_up.become_beneficiary(client, mailbox, a_young_person(7_000_002, EIGHTEEN_IN_2021))
        me = client.get("/v1/me", self.person.token)
        assert me["nextStep"] is None
        assert "beneficiary" in me["roles"]
        assert me["eligibility"]["kind"] == "age-18"
        credit = me["credit"]
        assert (credit["grantedCents"], credit["remainingCents"]) == (30000, 30000)
        assert credit["digital"] == {"capCents": 10000, "remainingCents": 10000}
        assert credit["physical"] is None
        expires = parse_instant(credit["expiresAt"])
        assert expires == self.platform.now().replace(year=2023)

    def person_searches_and_books(self) -> None:
        near = self.platform.get("/v1/offers?q=concert&lat=48.58&lon=7.75&radiusKm=20")["items"]
        assert self.concert.offer_id in [offer["offerId"] for offer in near]
        far = self.platform.get("/v1/offers?q=concert&lat=43.6&lon=3.87&radiusKm=20")["items"]
        assert self.concert.offer_id not in [offer["offerId"] for offer in far]
        now = self.platform.now()
        self.bookings = {
            "concert": self.scenario.make_booking(self.person, self.concert.stock_id),
            "book": self.scenario.make_booking(self.person, self.book.stock_id),
            "visit": self.scenario.make_booking(self.person, self.visit.stock_id),
        }
        marks = [booking["countermark"] for booking in self.bookings.values()]
        assert all(len(mark) == 6 and set(mark) <= ALPHABET for mark in marks) and len(set(marks)) == 3
        concert, book = self.bookings["concert"], self.bookings["book"]
        assert concert["status"] == book["status"] == "confirmed"
        assert parse_instant(concert["cancellationLimitAt"]) == now + timedelta(hours=48)
        assert concert["expiresAt"] is None
        assert book["cancellationLimitAt"] is None
        assert parse_instant(book["expiresAt"]) == now + timedelta(days=10)
        assert self.scenario.remaining_credit(self.person) == 30000 - 2550 - 1090
        self.assert_ledger_explains_the_balance()
        assert self.scenario.remaining_places(self.concert) == 1

    def assert_ledger_explains_the_balance(self) -> None:
        entries = self.platform.get("/v1/me/credit/entries", self.person.token)["items"]
        assert [entry["kind"] for entry in entries][:3] == ["granted", "reserved", "reserved"]
        assert [entry["balanceCents"] for entry in entries][:3] == [30000, 27450, 26360]
        assert sum(entry["amountCents"] for entry in entries) == self.scenario.remaining_credit(self.person)

    def desk_and_timer_validate(self) -> None:
        mark = self.bookings["book"]["countermark"]
        seen = self.scenario.desk("look-up", mark, self.actor.token)
        assert (seen.json["price"], seen.json["isUsed"], seen.json["quantity"]) == (10.9, False, 1)
        assert seen.json["userName"] == "Zoé Martin7000002"
        assert self.scenario.desk("use", mark.lower(), self.actor.token).status == 204
        assert self.scenario.desk("keep", mark, self.actor.token).status == 204
        assert self.scenario.booking(self.person, self.bookings["book"]["bookingId"])["status"] == "confirmed"
        self.scenario.use_at_desk(self.actor, self.bookings["book"])
        self.platform.move_clock_to(CONCERT_AT + timedelta(days=4))
        concert = self.scenario.booking(self.person, self.bookings["concert"]["bookingId"])
        assert concert["status"] == "used"
        assert parse_instant(concert["usedAt"]) == CONCERT_AT + timedelta(hours=48)
        counters = self.counters()
        assert counters["validatedBookings"] == 3  # two used ones, and the visit after its cancellation limit

    def payout_is_closed_and_sent(self) -> None:
        preview = self.platform.post("/v1/finance/payouts/preview", {"cutoff": "2021-11-15"}, self.finance.token).json
        assert (preview["batchId"], preview["totalCents"], preview["lines"], preview["transfers"]) == (None, 3640, 2, 1)
        batch = self.finance.close_fortnight()
        assert batch["label"] == "Novembre 2021 : remboursement 1ère quinzaine"
        assert {name: batch[name] for name in ("totalCents", "lines", "transfers", "contributionCents")} == {
            "totalCents": 3640,
            "lines": 2,
            "transfers": 1,
            "contributionCents": 0,
        }
        transfers = self.finance.transfers(batch)
        assert transfers.control_sum == Decimal("36.40")
        assert self.actor.structure.bank is not None
        assert transfers.of(self.actor.structure.bank.iban).amount == Decimal("36.40")
        details = self.finance.details(batch)
        assert sorted(row["Nom de l'offre"] for row in details) == ["Concert de rentrée", "Livre trop sympa"]
        self.finance.confirm_sent(batch)
        assert [self.status(name) for name in ("concert", "book", "visit")] == ["reimbursed", "reimbursed", "confirmed"]
        self.assert_reimbursements_file()

    def status(self, name: str) -> str:
        return str(self.scenario.booking(self.person, self.bookings[name]["bookingId"])["status"])

    def assert_reimbursements_file(self) -> None:
        rows = {row["Nom de l'offre"]: row for row in reimbursements(self.platform, self.actor.token)}
        assert set(rows) == {"Concert de rentrée", "Livre trop sympa"}
        concert = rows["Concert de rentrée"]
        assert concert["Année"] == "2021"
        assert concert["Virement"] == "Novembre : remboursement 1ère quinzaine"
        assert concert["SIRET créditeur"] == self.scenario.siret(self.actor)
        assert (concert["Montant de la réservation"], concert["Barème"], concert["Montant remboursé"]) == (
            "25,50",
            "100%",
            "25,50",
        )
        assert concert["Contremarque"] == self.bookings["concert"]["countermark"]
        assert concert["Nom utilisateur"] == "Martin7000002"
        assert concert["Statut du remboursement"] == "Remboursement envoyé"

    def accounts_are_reconciled(self) -> None:
        year = self.finance.year(self.scenario.siret(self.actor), 2021)
        assert (year["revenueCents"], year["reimbursedCents"], year["paidCents"]) == (3640, 3640, 3640)
        self.finance.assert_reconciled()
        found = self.platform.command("reconcile")
        assert found.returncode == 0, found.stdout + found.stderr
        self.assert_finance_events()

    def assert_finance_events(self) -> None:
        raw = self.platform.client.get_bytes("/v1/finance/events?after=0", self.finance.token)
        names = [json.loads(line)["name"] for line in raw.splitlines()]
        assert names.count("BookingPriced") >= 2
        assert names.count("PayoutBatchClosed") == 1
        assert names.count("BookingReimbursed") == 2
        assert names.index("BookingPriced") < names.index("PayoutBatchClosed") < names.index("BookingReimbursed")
