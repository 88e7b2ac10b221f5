"""Fortnights, transfers and the bank's answers; the scale over a year and into the next one."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from demo import sign_up
from tests.system.conftest import own_platform
from tests.system.money_files import Finance, reimbursements
from tests.system.stage import Actor, Beneficiary, Stage, add_document

platform = own_platform


@pytest.fixture(scope="module")
def finance(stage: Stage) -> Finance:
    return Finance(stage.platform)


def iban(actor: Actor) -> str:
    assert actor.structure.bank is not None
    return actor.structure.bank.iban


def test_a_fortnight_is_previewed_and_closed_once(stage: Stage, finance: Finance) -> None:
    actor, person = stage.actor(), stage.young_person()
    stage.sold(actor, person, 1234)
    stage.platform.wait_idle()
    last_day = finance.wait_for_the_end_of_the_fortnight()
    before = stage.platform.wait_idle()
    previews = [
        stage.platform.call("POST", "/v1/finance/payouts/preview", {"cutoff": last_day}, finance.token).json
        for _ in range(2)
    ]
    assert previews[0] == previews[1]
    assert stage.platform.wait_idle() == before  # a preview stores nothing
    closed = stage.platform.post("/v1/finance/payouts", {"cutoff": last_day}, finance.token)
    again = stage.platform.post("/v1/finance/payouts", {"cutoff": last_day}, finance.token)
    assert closed.status == again.status == 201
    assert again.json == closed.json
    for name in ("label", "cutoff", "lines", "transfers", "totalCents", "contributionCents"):
        assert closed.json[name] == previews[0][name]
    assert closed.json["totalCents"] == 1234
    listed = stage.platform.get("/v1/finance/payouts", finance.token)["items"]
    assert [batch["batchId"] for batch in listed] == [closed.json["batchId"]]


def test_cutoffs_that_cannot_be_closed(stage: Stage, finance: Finance) -> None:
    batch = finance.close_fortnight()

    def close(cutoff: str) -> tuple[int, str]:
        return stage.platform.post("/v1/finance/payouts", {"cutoff": cutoff}, finance.token).outcome

    today = stage.platform.now().date()
    assert close(batch["cutoff"]) == (201, "")
    assert close(end_of_month_after(batch["cutoff"])) == (409, "cutoff-in-the-future")
    assert close("2021-06-15") == (409, "earlier-than-last-batch")
    assert close("2022-02-14") == (422, "cutoff-ends-no-period")
    assert close("2021-02-30") == (422, "invalid")
    assert close("soon") == (422, "invalid")
    for role in ("staff", "operator"):
        refused = stage.platform.post("/v1/finance/payouts", {"cutoff": today.isoformat()}, stage.platform.token(role))
        assert refused.outcome == (403, "forbidden")


def end_of_month_after(day: str) -> str:
    """The last day of a fortnight that certainly lies ahead."""
    return f"{int(day[:4]) + 1}{day[4:8]}15"


def test_transfers_are_one_per_account_and_become_reimbursed_when_sent(stage: Stage, finance: Finance) -> None:
    one, other, person = stage.actor(venues=2), stage.actor(), stage.young_person()
    sold = [
        stage.sold(one, person, 1000),
        stage.sold(one, person, 2000, venue=stage.venue(one, 1)),
        stage.sold(other, person, 4000),
    ]
    batch = finance.close_fortnight()
    transfers = finance.transfers(batch)
    assert transfers.of(iban(one)).amount == Decimal("30.00")
    assert transfers.of(iban(other)).amount == Decimal("40.00")
    finance.sent(batch, [transfers.of(iban(other)).end_to_end_id])
    assert [stage.booking(person, one["bookingId"])["status"] for one in sold] == ["used", "used", "reimbursed"]
    finance.sent(batch)
    finance.sent(batch)  # asked for twice, safe twice
    assert [stage.booking(person, one["bookingId"])["status"] for one in sold] == ["reimbursed"] * 3
    rows = reimbursements(stage.platform, one.token)
    assert sorted(row["Montant remboursé"] for row in rows) == ["10,00", "20,00"]
    assert {row["Statut du remboursement"] for row in rows} == {"Remboursement envoyé"}
    finance.reconciled()


def test_the_files_are_the_same_bytes_for_ever(stage: Stage, finance: Finance) -> None:
    actor, person = stage.actor(), stage.young_person()
    stage.sold(actor, person, 1000)
    batch = finance.close_fortnight()
    paths = [
        f"/v1/finance/payouts/{batch['batchId']}/{name}" for name in ("transfers.xml", "details.csv", "wallets.csv")
    ]
    before = [stage.platform.client.get_bytes(path, finance.token) for path in paths]
    finance.sent(batch)
    stage.sold(actor, person, 2000)
    stage.platform.advance(timedelta(days=3))
    assert [stage.platform.client.get_bytes(path, finance.token) for path in paths] == before


def test_the_file_of_balances_has_every_wallet_at_the_close(stage: Stage, finance: Finance) -> None:
    actor, person = stage.actor(), stage.young_person()
    stage.sold(actor, person, 1000)
    stage.booked(person, stage.publish(actor, 500, 1, subcategory="CARTE_CINE_MULTISEANCES").stock_id)
    batch = finance.close_fortnight()
    left = finance.balances(batch)
    assert left[stage.account_id(person)] == ("285,00", "290,00")
    assert list(left) == sorted(left)
    path = f"/v1/finance/payouts/{batch['batchId']}/wallets.csv"
    assert stage.platform.call("GET", path, token=stage.platform.token("staff")).outcome == (403, "forbidden")
    unknown = stage.platform.call("GET", "/v1/finance/payouts/999999/wallets.csv", token=finance.token)
    assert unknown.outcome == (404, "batch-not-found")


def test_a_rejected_transfer_is_paid_again_with_the_next_batch(stage: Stage, finance: Finance) -> None:
    actor, person = stage.actor(), stage.young_person()
    first = stage.sold(actor, person, 1000)
    batch = finance.close_fortnight()
    transfer = finance.transfers(batch).of(iban(actor))
    finance.rejected(batch, transfer.end_to_end_id, "AC04 compte clos")
    assert stage.booking(person, first["bookingId"])["status"] == "used"
    second = stage.sold(actor, person, 500)
    later = finance.close_fortnight()
    again = finance.transfers(later).of(iban(actor))
    assert again.amount == Decimal("15.00")
    assert again.end_to_end_id != transfer.end_to_end_id
    finance.sent(later)
    statuses = [stage.booking(person, one["bookingId"])["status"] for one in (first, second)]
    assert statuses == ["reimbursed", "reimbursed"]
    years = {booking["usedAt"][:4] for booking in (stage.booking(person, one["bookingId"]) for one in (first, second))}
    assert sum(finance.year(stage.siret(actor), int(year))["paidCents"] for year in years) == 1500
    finance.reconciled()


def test_what_has_no_bank_details_waits_for_them(stage: Stage, finance: Finance) -> None:
    actor, person = stage.actor(bank=False), stage.young_person()
    stage.sold(actor, person, 900)
    batch = finance.close_fortnight()
    assert batch["withoutBankDetails"] == {"lines": 1, "totalCents": 900}
    (row,) = reimbursements(stage.platform, actor.token)
    assert row["Statut du remboursement"] == "Remboursement impossible : IBAN et BIC manquants sur l'offreur"
    assert actor.structure.bank is not None
    give_bank_details(stage, actor)
    later = finance.close_fortnight()
    assert finance.transfers(later).of(iban(actor)).amount == Decimal("9.00")
    finance.sent(later)
    finance.reconciled()


def give_bank_details(stage: Stage, actor: Actor) -> None:
    assert actor.structure.bank is not None
    sign_up.give_bank_details(stage.platform.client, actor, actor.structure.bank)
    stage.platform.wait_idle()


def test_documents_beside_bank_details(stage: Stage) -> None:
    platform, actor, stranger = stage.platform, stage.actor(bank=False), stage.actor(bank=False)
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


def test_free_and_digital_bookings_cost_nothing(stage: Stage, finance: Finance) -> None:
    actor, person = stage.actor(), stage.young_person()
    free = stage.sold(actor, person, 0)
    film = stage.sold(
        actor,
        person,
        700,
        subcategory="VOD",
        venue=stage.digital_venue(actor),
        url="https://example.org/vod",
        name="Film",
    )
    batch = finance.close_fortnight()
    transfers = finance.transfers(batch).transfers if batch["transfers"] else []
    assert iban(actor) not in [one.iban for one in transfers]
    finance.sent(batch)
    assert stage.booking(person, film["bookingId"])["status"] == "reimbursed"  # at the close (decision 9)
    assert stage.booking(person, free["bookingId"])["status"] in ("used", "reimbursed")
    finance.reconciled()


def test_the_year_begins_at_midnight_in_paris(stage: Stage, finance: Finance) -> None:
    """From 2022 on (decision 1): half past eleven in the evening, UTC, is the new year already."""
    actor, people = stage.actor(), [stage.young_person(), stage.young_person()]
    year = stage.platform.now().year
    stage.platform.clock_to(f"{year}-12-31T22:59:59Z")
    stage.sold(actor, people[0], 1000)
    stage.platform.clock_to(f"{year}-12-31T23:00:00Z")
    stage.sold(actor, people[1], 1001)
    stage.platform.wait_idle()
    assert finance.year(stage.siret(actor), year)["revenueCents"] == 1000
    assert finance.year(stage.siret(actor), year + 1)["revenueCents"] == 1001


def sell_up_to(stage: Stage, actor: Actor, target: int, people: list[Beneficiary]) -> None:
    """Sells concerts of 300 € until the establishment's year stands at ``target`` cents."""
    begins = stage.platform.now() + timedelta(days=1)
    festival = stage.publish(
        actor, 30000, 200, subcategory="FESTIVAL_MUSIQUE", begins=begins, name=f"Festival {begins:%d%m%Y}"
    )
    for person in people[: target // 30000]:
        stage.booked(person, festival.stock_id)
    stage.platform.clock_to(begins + timedelta(hours=48, seconds=1))


@pytest.mark.slow
def test_a_year_s_scale_and_the_new_year(stage: Stage, finance: Finance) -> None:
    """More than 20 000 € in a year is paid at 95 % from the booking that passes it; the next year begins at 100 %."""
    actor = stage.actor()
    people = [stage.young_person() for _ in range(67)]
    sell_up_to(stage, actor, 66 * 30000, people)
    year = stage.platform.now().year
    assert finance.year(stage.siret(actor), year)["revenueCents"] == 1_980_000
    assert finance.year(stage.siret(actor), year)["reimbursedCents"] == 1_980_000
    passing = stage.booked(people[66], stage.publish(actor, 30000, 1).stock_id)
    stage.used(actor, passing)
    stage.platform.wait_idle()
    after = finance.year(stage.siret(actor), year)
    assert after["revenueCents"] == 2_010_000
    assert after["reimbursedCents"] == 1_980_000 + 28_500
    assert after["contributionCents"] == 1_500
    stage.platform.clock_to(f"{year + 1}-01-04T09:00:00Z")
    stage.sold(actor, stage.young_person(), 30000)
    stage.platform.wait_idle()
    fresh = finance.year(stage.siret(actor), year + 1)
    assert (fresh["revenueCents"], fresh["reimbursedCents"], fresh["contributionCents"]) == (30000, 30000, 0)
    assert finance.year(stage.siret(actor), year) == after
    finance.reconciled()
