"""Fortnightly payouts, transfers and the answers of the bank; the scale over a year and into the next."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from demo import sign_up
from tests.system.conftest import own_platform
from tests.system.money_files import Finance, reimbursements
from tests.system.scenario import Actor, Beneficiary, Scenario, add_document

platform = own_platform


@pytest.fixture(scope="module")
def finance(scenario: Scenario) -> Finance:
    return Finance(scenario.platform)


def iban(actor: Actor) -> str:
    assert actor.structure.bank is not None
    return actor.structure.bank.iban


def test_closing_a_fortnight_matches_its_preview_and_is_idempotent(scenario: Scenario, finance: Finance) -> None:
    actor, person = scenario.actor(), scenario.young_person()
    scenario.make_used_booking(actor, person, 1234)
    scenario.platform.wait_idle()
    last_day = finance.move_to_end_of_fortnight()
    before = scenario.platform.wait_idle()
    previews = [
        scenario.platform.call("POST", "/v1/finance/payouts/preview", {"cutoff": last_day}, finance.token).json
        for _ in range(2)
    ]
    assert previews[0] == previews[1]
    assert scenario.platform.wait_idle() == before  # a preview stores nothing
    closed = scenario.platform.post("/v1/finance/payouts", {"cutoff": last_day}, finance.token)
    again = scenario.platform.post("/v1/finance/payouts", {"cutoff": last_day}, finance.token)
    assert closed.status == again.status == 201
    assert again.json == closed.json
    for name in ("label", "cutoff", "lines", "transfers", "totalCents", "contributionCents"):
        assert closed.json[name] == previews[0][name]
    assert closed.json["totalCents"] == 1234
    listed = scenario.platform.get("/v1/finance/payouts", finance.token)["items"]
    assert [batch["batchId"] for batch in listed] == [closed.json["batchId"]]


def test_invalid_cutoffs_are_refused(scenario: Scenario, finance: Finance) -> None:
    batch = finance.close_fortnight()

    def close(cutoff: str) -> tuple[int, str]:
        return scenario.platform.post("/v1/finance/payouts", {"cutoff": cutoff}, finance.token).outcome

    today = scenario.platform.now().date()
    assert close(batch["cutoff"]) == (201, "")
    assert close(end_of_a_later_fortnight(batch["cutoff"])) == (409, "cutoff-in-the-future")
    assert close("2021-06-15") == (409, "earlier-than-last-batch")
    assert close("2022-02-14") == (422, "cutoff-ends-no-period")
    assert close("2021-02-30") == (422, "invalid")
    assert close("soon") == (422, "invalid")
    for role in ("staff", "operator"):
        refused = scenario.platform.post(
            "/v1/finance/payouts", {"cutoff": today.isoformat()}, scenario.platform.token(role)
        )
        assert refused.outcome == (403, "forbidden")


def end_of_a_later_fortnight(day: str) -> str:
    """The last day of a fortnight in the future."""
    return f"{int(day[:4]) + 1}{day[4:8]}15"


def test_one_transfer_per_account_reimburses_bookings_when_sent(scenario: Scenario, finance: Finance) -> None:
    one, other, person = scenario.actor(venues=2), scenario.actor(), scenario.young_person()
    sold = [
        scenario.make_used_booking(one, person, 1000),
        scenario.make_used_booking(one, person, 2000, venue=scenario.venue(one, 1)),
        scenario.make_used_booking(other, person, 4000),
    ]
    batch = finance.close_fortnight()
    transfers = finance.transfers(batch)
    assert transfers.of(iban(one)).amount == Decimal("30.00")
    assert transfers.of(iban(other)).amount == Decimal("40.00")
    finance.confirm_sent(batch, [transfers.of(iban(other)).end_to_end_id])
    assert [scenario.booking(person, one["bookingId"])["status"] for one in sold] == ["used", "used", "reimbursed"]
    finance.confirm_sent(batch)
    finance.confirm_sent(batch)  # idempotent
    assert [scenario.booking(person, one["bookingId"])["status"] for one in sold] == ["reimbursed"] * 3
    rows = reimbursements(scenario.platform, one.token)
    assert sorted(row["Montant remboursé"] for row in rows) == ["10,00", "20,00"]
    assert {row["Statut du remboursement"] for row in rows} == {"Remboursement envoyé"}
    finance.assert_reconciled()


def test_payout_files_never_change(scenario: Scenario, finance: Finance) -> None:
    actor, person = scenario.actor(), scenario.young_person()
    scenario.make_used_booking(actor, person, 1000)
    batch = finance.close_fortnight()
    paths = [
        f"/v1/finance/payouts/{batch['batchId']}/{name}" for name in ("transfers.xml", "details.csv", "wallets.csv")
    ]
    before = [scenario.platform.client.get_bytes(path, finance.token) for path in paths]
    finance.confirm_sent(batch)
    scenario.make_used_booking(actor, person, 2000)
    scenario.platform.advance(timedelta(days=3))
    assert [scenario.platform.client.get_bytes(path, finance.token) for path in paths] == before


def test_balances_file_has_every_wallet_at_the_close(scenario: Scenario, finance: Finance) -> None:
    actor, person = scenario.actor(), scenario.young_person()
    scenario.make_used_booking(actor, person, 1000)
    scenario.make_booking(person, scenario.publish(actor, 500, 1, subcategory="CARTE_CINE_MULTISEANCES").stock_id)
    batch = finance.close_fortnight()
    left = finance.balances(batch)
    assert left[scenario.account_id(person)] == ("285,00", "290,00")
    assert list(left) == sorted(left)
    path = f"/v1/finance/payouts/{batch['batchId']}/wallets.csv"
    assert scenario.platform.call("GET", path, token=scenario.platform.token("staff")).outcome == (403, "forbidden")
    unknown = scenario.platform.call("GET", "/v1/finance/payouts/999999/wallets.csv", token=finance.token)
    assert unknown.outcome == (404, "batch-not-found")


def test_rejected_transfer_is_paid_with_the_next_batch(scenario: Scenario, finance: Finance) -> None:
    actor, person = scenario.actor(), scenario.young_person()
    first = scenario.make_used_booking(actor, person, 1000)
    batch = finance.close_fortnight()
    transfer = finance.transfers(batch).of(iban(actor))
    finance.report_rejected(batch, transfer.end_to_end_id, "AC04 compte clos")
    assert scenario.booking(person, first["bookingId"])["status"] == "used"
    second = scenario.make_used_booking(actor, person, 500)
    later = finance.close_fortnight()
    again = finance.transfers(later).of(iban(actor))
    assert again.amount == Decimal("15.00")
    assert again.end_to_end_id != transfer.end_to_end_id
    finance.confirm_sent(later)
    statuses = [scenario.booking(person, one["bookingId"])["status"] for one in (first, second)]
    assert statuses == ["reimbursed", "reimbursed"]
    years = {
        booking["usedAt"][:4] for booking in (scenario.booking(person, one["bookingId"]) for one in (first, second))
    }
    assert sum(finance.year(scenario.siret(actor), int(year))["paidCents"] for year in years) == 1500
    finance.assert_reconciled()


def test_lines_without_bank_details_are_paid_after_their_acceptance(scenario: Scenario, finance: Finance) -> None:
    actor, person = scenario.actor(bank=False), scenario.young_person()
    scenario.make_used_booking(actor, person, 900)
    batch = finance.close_fortnight()
    assert batch["withoutBankDetails"] == {"lines": 1, "totalCents": 900}
    (row,) = reimbursements(scenario.platform, actor.token)
    assert row["Statut du remboursement"] == "Remboursement impossible : IBAN et BIC manquants sur l'offreur"
    assert actor.structure.bank is not None
    give_bank_details(scenario, actor)
    later = finance.close_fortnight()
    assert finance.transfers(later).of(iban(actor)).amount == Decimal("9.00")
    finance.confirm_sent(later)
    finance.assert_reconciled()


def give_bank_details(scenario: Scenario, actor: Actor) -> None:
    assert actor.structure.bank is not None
    sign_up.give_bank_details(scenario.platform.client, actor, actor.structure.bank)
    scenario.platform.wait_idle()


def test_documents_are_uploaded_for_undecided_bank_details(scenario: Scenario) -> None:
    platform, actor, stranger = scenario.platform, scenario.actor(bank=False), scenario.actor(bank=False)
    assert actor.structure.bank is not None
    bank = {"iban": iban(actor), "bic": actor.structure.bank.bic, "holder": actor.structure.name}
    submitted = platform.post(f"/v1/pro/offerers/{actor.offerer_id}/bank-details", bank, actor.token).json
    path = f"/v1/pro/bank-details/{submitted['bankDetailsId']}/documents"
    statement = b"%PDF-1.7\n" + b"0" * 9_900_000 + b"\n%%EOF\n"
    added = add_document(platform, path, statement, actor.token)
    assert added.status == 201, added
    assert (added.json["mediaType"], added.json["size"]) == ("application/pdf", len(statement))
    assert add_document(platform, path, statement, actor.token).json == added.json
    assert add_document(platform, path, statement, stranger.token).outcome == (404, "bank-details-not-found")
    assert add_document(platform, path, b"MZ", actor.token).outcome == (422, "document-invalid")
    assert add_document(platform, path, b"0" * 10_100_000, actor.token).outcome == (413, "too-large")
    staff = platform.token("staff")
    waiting = platform.get("/v1/staff/bank-details", staff)["items"]
    (found,) = [one for one in waiting if one["bankDetailsId"] == submitted["bankDetailsId"]]
    assert found["documents"] == platform.get(path, actor.token)["items"] == [added.json]
    file = f"/v1/staff/bank-details/{submitted['bankDetailsId']}/documents/{added.json['documentId']}"
    assert platform.client.get_bytes(file, staff) == statement
    accepted = platform.post(f"/v1/staff/bank-details/{submitted['bankDetailsId']}/validate", {}, staff)
    assert accepted.status == 200, accepted
    late = add_document(platform, path, b"%PDF-1.7 %%EOF", actor.token)
    assert late.outcome == (409, "bank-details-already-decided")


def test_free_and_digital_bookings_are_not_paid(scenario: Scenario, finance: Finance) -> None:
    actor, person = scenario.actor(), scenario.young_person()
    free = scenario.make_used_booking(actor, person, 0)
    film = scenario.make_used_booking(
        actor,
        person,
        700,
        subcategory="VOD",
        venue=scenario.digital_venue(actor),
        url="https://example.org/vod",
        name="Film",
    )
    batch = finance.close_fortnight()
    transfers = finance.transfers(batch).transfers if batch["transfers"] else []
    assert iban(actor) not in [one.iban for one in transfers]
    finance.confirm_sent(batch)
    assert scenario.booking(person, film["bookingId"])["status"] == "reimbursed"  # at the close (decision 9)
    assert scenario.booking(person, free["bookingId"])["status"] in ("used", "reimbursed")
    finance.assert_reconciled()


def test_year_starts_at_midnight_in_paris(scenario: Scenario, finance: Finance) -> None:
    """From 2022 on (decision 1): 23:00 UTC is already the new year."""
    actor, people = scenario.actor(), [scenario.young_person(), scenario.young_person()]
    year = scenario.platform.now().year
    scenario.platform.move_clock_to(f"{year}-12-31T22:59:59Z")
    scenario.make_used_booking(actor, people[0], 1000)
    scenario.platform.move_clock_to(f"{year}-12-31T23:00:00Z")
    scenario.make_used_booking(actor, people[1], 1001)
    scenario.platform.wait_idle()
    assert finance.year(scenario.siret(actor), year)["revenueCents"] == 1000
    assert finance.year(scenario.siret(actor), year + 1)["revenueCents"] == 1001


def sell_up_to(scenario: Scenario, actor: Actor, target: int, people: list[Beneficiary]) -> None:
    """Sells festival tickets of 300 € until the establishment's revenue of the year is ``target`` cents."""
    begins = scenario.platform.now() + timedelta(days=1)
    festival = scenario.publish(
        actor, 30000, 200, subcategory="FESTIVAL_MUSIQUE", begins=begins, name=f"Festival {begins:%d%m%Y}"
    )
    for person in people[: target // 30000]:
        scenario.make_booking(person, festival.stock_id)
    scenario.platform.move_clock_to(begins + timedelta(hours=48, seconds=1))


@pytest.mark.slow
def test_scale_applies_above_20_000_euros_and_restarts_each_year(scenario: Scenario, finance: Finance) -> None:
    """The booking that passes 20 000 € in a year, and all later ones, are paid at 95 %; a new year starts at 100 %."""
    actor = scenario.actor()
    people = [scenario.young_person() for _ in range(67)]
    sell_up_to(scenario, actor, 66 * 30000, people)
    year = scenario.platform.now().year
    assert finance.year(scenario.siret(actor), year)["revenueCents"] == 1_980_000
    assert finance.year(scenario.siret(actor), year)["reimbursedCents"] == 1_980_000
    passing = scenario.make_booking(people[66], scenario.publish(actor, 30000, 1).stock_id)
    scenario.use_at_desk(actor, passing)
    scenario.platform.wait_idle()
    after = finance.year(scenario.siret(actor), year)
    assert after["revenueCents"] == 2_010_000
    assert after["reimbursedCents"] == 1_980_000 + 28_500
    assert after["contributionCents"] == 1_500
    scenario.platform.move_clock_to(f"{year + 1}-01-04T09:00:00Z")
    scenario.make_used_booking(actor, scenario.young_person(), 30000)
    scenario.platform.wait_idle()
    fresh = finance.year(scenario.siret(actor), year + 1)
    assert (fresh["revenueCents"], fresh["reimbursedCents"], fresh["contributionCents"]) == (30000, 30000, 0)
    assert finance.year(scenario.siret(actor), year) == after
    finance.assert_reconciled()
