"""Previews, closes, transfers sent and rejected, debts."""

from __future__ import annotations

import csv
import io
import re
from datetime import date
from typing import Any

import pytest

from services.payout.domain.bank_details import Account, BankDetails
from services.payout.domain.periods import Period
from services.payout.refusals import FileNotValid
from services.payout.storage.tables import batches
from shared.eventstore.outcomes import Call
from shared.kernel.errors import Refused, Unavailable
from shared.observability import metrics
from shared.runtime.settings import BadSettings
from tests.unit.payout.stage import SARAH, Stage, iban, refused


def test_preview_then_close_then_sent(stage: Stage) -> None:
    stage.validate(1, 2550)
    stage.validate(2, 1090, subcategory="LIVRE_PAPIER")
    stage.validate(3, 700, subcategory="VOD")
    before = stage.query("preview", {"cutoff": "2021-11-15"})
    assert (before["batchId"], before["lines"], before["transfers"]) == (None, 3, 1)
    assert (before["totalCents"], before["contributionCents"]) == (3640, 700)
    batch = stage.close()
    assert {name: batch[name] for name in before if name != "batchId"} == {
        name: value for name, value in before.items() if name != "batchId"
    }
    assert batch["label"] == "Novembre 2021 : remboursement 1ère quinzaine"
    assert (batch["number"], batch["executionDate"], batch["status"]) == ("VIR1", "2021-11-17", "closed")
    assert stage.close()["batchId"] == batch["batchId"]
    assert stage.query("preview", {"cutoff": "2021-11-15"})["totalCents"] == 3640
    assert {line["status"] for line in stage.lines().values()} == {"in-batch", "sent"}
    assert [one["bookingId"] for one in stage.published("BookingReimbursed")] == [3], "0 euros: at the close"
    assert sorted(one["bookingId"] for one in stage.published("BookingEnteredBatch")) == [1, 2, 3]
    sent = stage.command("mark-sent", {"batchId": batch["batchId"]})
    assert sent["status"] == "sent"
    stage.command("mark-sent", {"batchId": batch["batchId"]})
    assert sorted(one["bookingId"] for one in stage.published("BookingReimbursed")) == [1, 2, 3]
    assert len(stage.published("TransferSent")) == 1
    assert {line["status"] for line in stage.lines().values()} == {"sent"}
    stage.balanced()


def test_the_files_of_a_batch_never_change(stage: Stage) -> None:
    stage.validate(1, 2550)
    batch = stage.close()
    number = {"batchId": batch["batchId"]}
    xml, details = stage.query("transfers-xml", number)["text"], stage.query("details-csv", number)["text"]
    assert "<CtrlSum>25.50</CtrlSum>" in xml
    assert iban(1) in xml
    stage.receive(
        "identity", "OffererRegistered", offererId=1, siren="x", name="Renamed", address="", postalCode="", city=""
    )
    stage.accepted_account(2)
    stage.command("mark-sent", number)
    assert stage.query("transfers-xml", number)["text"] == xml
    assert stage.query("details-csv", number)["text"] == details
    assert stage.query("payout", number)["checksum"] == batch["checksum"]
    assert stage.query("payouts")["items"][0]["batchId"] == batch["batchId"]


def test_the_file_of_balances_never_changes(stage: Stage) -> None:
    number = {"batchId": stage.close()["batchId"]}
    stage.wallet_position = 90
    begin = stage.query("wallets-csv", number)
    rest = stage.query("wallets-csv", {**number, "cursor": begin["nextCursor"]})
    assert rest["nextCursor"] is None
    assert begin["text"] + rest["text"] == (
        "\ufeffID de l'utilisateur;Solde théorique;Solde réel\r\n7;3,00;3,01\r\n8;0,00;0,01\r\n"
    )
    with pytest.raises(Refused) as unknown:
        stage.query("wallets-csv", {"batchId": 99})
    assert unknown.value.code == "batch-not-found"


def test_a_batch_without_wallets_position_has_no_file_of_balances(stage: Stage) -> None:
    number = {"batchId": stage.close()["batchId"]}
    with stage.engine.begin() as connection:
        connection.execute(batches.update().values(wallet_position=None))
    with pytest.raises(Refused) as refusal:
        stage.query("wallets-csv", number)
    assert (refusal.value.code, refusal.value.status) == ("balances-not-noted", 404)


def test_a_close_waits_until_wallet_has_caught_up(stage: Stage) -> None:
    stage.bus.handlers["wallet", "reached"] = lambda _data, _caller: _raise(Unavailable("not there yet"))
    stage.clock.move_to(stage.clock.now().replace(day=16))
    assert refused(stage, "close", {"cutoff": "2021-11-15"}, key="k") == "not-caught-up"
    stage.bus.handlers["wallet", "reached"] = lambda _data, _caller: {"reached": True}
    assert stage.close(key="k")["batchId"] == 1


def _raise(refusal: Exception) -> Any:
    raise refusal


def test_invalid_cutoffs_are_refused(stage: Stage) -> None:
    assert refused(stage, "close", {"cutoff": "2021-11-14"}) == "cutoff-ends-no-period"
    assert refused(stage, "close", {"cutoff": "yesterday"}) == "invalid"
    assert refused(stage, "close", {"cutoff": "2021-11-15"}, key="early") == "cutoff-in-the-future"
    stage.close("2021-11-30", "2021-12-01T09:00:00Z")
    assert refused(stage, "close", {"cutoff": "2021-11-15"}) == "earlier-than-last-batch"
    with pytest.raises(Refused, match="déjà clôturée"):
        stage.query("preview", {"cutoff": "2021-11-15"})


def test_a_close_is_refused_while_a_validation_is_in_flight(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.payout.neighbours.CATCH_UP_SECONDS", 0.1)
    stage.message("booking", "CountermarkValidated", **stage.validation(1, 2550))
    stage.clock.move_to(stage.clock.now().replace(day=16))
    assert refused(stage, "close", {"cutoff": "2021-11-15"}, key="k") == "not-caught-up"
    stage.process.catch_up("booking")
    assert stage.command("close", {"cutoff": "2021-11-15"}, key="k")["totalCents"] == 2550


def test_a_close_is_refused_while_booking_has_dead_letters(stage: Stage) -> None:
    stage.validate(1, 2550, totalCents=9999)
    stage.clock.move_to(stage.clock.now().replace(day=16))
    assert refused(stage, "close", {"cutoff": "2021-11-15"}) == "not-caught-up"


def test_a_booking_validated_before_its_event_is_paid_after_the_start(stage: Stage) -> None:
    stage.validate(1, 2550, beginningAt="2021-11-20T19:00:00Z")
    stage.validate(2, 1000)
    assert stage.close()["totalCents"] == 1000
    assert stage.close("2021-11-30", "2021-12-01T09:00:00Z")["totalCents"] == 2550


def test_lines_without_bank_details_wait_and_show_it(stage: Stage) -> None:
    stage.structure(2, "800000022")
    stage.venue(5, offerer=2)
    stage.validate(1, 2550, venue=5, offererId=2)
    stage.validate(2, 0, venue=5, offererId=2)
    batch = stage.close()
    assert batch["withoutBankDetails"] == {"lines": 1, "totalCents": 2550}
    assert (batch["lines"], batch["transfers"], batch["checksum"]) == (1, 0, None)
    assert {line["bookingId"]: line["status"] for line in stage.lines().values()} == {1: "no-bank-details", 2: "sent"}
    text = stage.query("reimbursements-csv", {"columns": 16}, caller=SARAH)["text"]
    assert "Remboursement impossible : IBAN et BIC manquants sur l'offreur" in text
    stage.balanced()
    stage.accepted_account(3, offerer=2)
    assert stage.close("2021-11-30", "2021-12-01T09:00:00Z")["totalCents"] == 2550


def test_one_transfer_for_each_account(stage: Stage) -> None:
    stage.venue(2)
    stage.venue(3)
    stage.accepted_account(9, venue=3)
    for booking, venue in ((1, 1), (2, 2), (3, 3)):
        stage.validate(booking, 1000 * booking, venue=venue)
    batch = stage.close()
    transfers = stage.query("payout", {"batchId": batch["batchId"]})["transferList"]
    assert {one["iban"]: one["amountCents"] for one in transfers} == {iban(1): 3000, iban(9): 3000}
    assert sorted(one["endToEndId"] for one in transfers) == ["VIR1-000001", "VIR1-000002"]
    stage.balanced()


def test_a_rejected_transfer_is_paid_again_in_the_next_batch(stage: Stage) -> None:
    stage.validate(1, 2550)
    first = stage.close()
    bad = {"batchId": first["batchId"], "transfers": [{"endToEndId": "VIR1-000001", "reason": "AC04"}]}
    stage.command("mark-rejected", bad)
    stage.command("mark-rejected", bad)
    assert len(stage.published("TransferRejected")) == 1
    assert [line["status"] for line in stage.lines().values()] == ["rejected"]
    assert stage.query("payout", {"batchId": bad["batchId"]})["status"] == "rejected"
    unknown = {"batchId": first["batchId"], "transfers": ["VIR1-000009"]}
    assert refused(stage, "mark-sent", unknown) == "transfer-not-found"
    assert refused(stage, "mark-sent", {"batchId": 1, "transfers": ["VIR1-000001"]}) == "transfer-already-answered"
    stage.balanced()
    stage.accepted_account(2)
    details = stage.query("details-csv", {"batchId": 1})["text"]
    second = stage.close("2021-11-30", "2021-12-01T09:00:00Z")
    assert (second["lines"], second["totalCents"]) == (1, 2550)
    assert stage.query("details-csv", {"batchId": 1})["text"] == details
    stage.command("mark-sent", {"batchId": second["batchId"]})
    assert [one["batchId"] for one in stage.published("BookingReimbursed")] == [2]
    stage.balanced()


def test_a_validation_taken_back_after_the_close_is_a_line_of_the_next_batch(stage: Stage) -> None:
    stage.validate(1, 2550)
    stage.close()
    stage.invalidate(1)
    stage.balanced()
    stage.validate(2, 1000)
    second = stage.close("2021-11-30", "2021-12-01T09:00:00Z")
    assert (second["totalCents"], second["transferredCents"], second["carriedCents"]) == (-1550, 0, -1550)
    stage.balanced()
    assert {line["bookingId"]: line["status"] for line in stage.lines(periodFrom="2021-11-16").values()} == {
        2: "carried-forward"
    }
    stage.validate(3, 5000)
    third = stage.close("2021-12-15", "2021-12-16T09:00:00Z")
    assert (third["totalCents"], third["transferredCents"], third["carriedCents"]) == (5000, 3450, 1550)
    stage.balanced()
    stage.command("mark-sent", {"batchId": third["batchId"]})
    assert sorted(one["bookingId"] for one in stage.published("BookingReimbursed")) == [2, 3]
    assert [one["bookingId"] for one in stage.published("BookingEnteredBatch")] == [1, 2, 3]
    stage.balanced()


def test_staff_correct_the_amount_of_a_line(stage: Stage) -> None:
    stage.validate(1, 2550)
    right = {"bookingId": 1, "reason": "wrong price", "reimbursedCents": 2000}
    assert refused(stage, "correct", right) == "line-not-in-a-batch"
    stage.close()
    assert stage.command("correct", right)["reimbursedCents"] == -550
    assert stage.command("correct", right)["reimbursedCents"] == 0, "it is right by now"
    assert refused(stage, "correct", {**right, "bookingId": 99}) == "line-not-found"
    assert refused(stage, "correct", {**right, "reimbursedCents": 2551}) == "invalid", "more than the booking cost"
    stage.validate(2, 1000)
    assert stage.close("2021-11-30", "2021-12-01T09:00:00Z")["transferredCents"] == 450
    stage.balanced()


def test_lines_that_cancel_each_other_out_are_reimbursed_at_the_close(stage: Stage) -> None:
    stage.validate(1, 1000)
    stage.close()
    stage.invalidate(1)
    stage.validate(2, 1000)
    batch = stage.close("2021-11-30", "2021-12-01T09:00:00Z")
    assert (batch["lines"], batch["transfers"], batch["totalCents"]) == (2, 0, 0)
    assert [one["bookingId"] for one in stage.published("BookingReimbursed")] == [2]
    stage.balanced()


def test_a_repeated_validation_is_one_line_and_a_second_use_another(stage: Stage) -> None:
    stage.validate(1, 2550)
    stage.validate(1, 2550)
    assert len(stage.lines()) == 1
    stage.invalidate(1)
    assert stage.lines() == {}
    stage.validate(1, 2550)
    assert [line["status"] for line in stage.lines().values()] == ["waiting"]
    stage.balanced()


def test_an_interrupted_close_of_many_pages_is_resumed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.payout.application.closing.PAGE", 3)
    for number in range(1, 12):
        stage.validate(number, 100 * number, venue=1)
    opened_and_entered(stage, date(2021, 11, 15))
    assert stage.query("payouts")["items"] == []
    assert stage.process.answer([Call("positions", {})])[0]["open"] == 1
    stage.service.tasks[0].run()
    batch = stage.command("close", {"cutoff": "2021-11-15"})
    assert (batch["batchId"], batch["lines"], batch["totalCents"]) == (1, 11, 6600)
    stage.balanced()


def test_the_setting_makes_periods_weeks(tmp_path: Any) -> None:
    weekly = Stage(tmp_path, PAYOUT_PERIOD="week")
    weekly.structure()
    weekly.venue()
    weekly.accepted_account()
    weekly.validate(1, 1000)
    assert weekly.close("2021-11-07", "2021-11-08T09:00:00Z")["label"] == "Novembre 2021 : remboursement semaine 44"
    assert refused(weekly, "close", {"cutoff": "2021-11-15"}) == "cutoff-ends-no-period"


def moved(stage: Stage, stock: int, begins: str) -> None:
    stage.receive(
        "catalog",
        "EventRescheduled",
        stockId=stock,
        offerId=1,
        beginningAt=begins,
        previousBeginningAt="2021-11-15T19:00:00Z",
        bookingLimitAt=begins,
    )


@pytest.mark.parametrize("moved_first", [True, False], ids=["moved first", "validated first"])
def test_a_validated_booking_is_paid_after_the_new_start_of_its_event(stage: Stage, moved_first: bool) -> None:
    """The messages of two services may arrive in either order."""
    if moved_first:
        moved(stage, 4, "2021-11-16T19:00:00Z")
    stage.validate(1, 2550, stockId=4, beginningAt="2021-11-15T19:00:00Z")
    stage.validate(2, 1000, stockId=5, beginningAt="2021-11-15T19:00:00Z")
    if not moved_first:
        moved(stage, 4, "2021-11-16T19:00:00Z")
    assert stage.query("preview", {"cutoff": "2021-11-15"})["totalCents"] == 1000
    assert stage.close()["totalCents"] == 1000
    assert stage.lines()[1]["status"] == "waiting"
    assert stage.close("2021-11-30", "2021-12-01T09:00:00Z")["totalCents"] == 2550
    stage.balanced()


def test_the_bookings_of_an_event_moved_to_an_earlier_day_are_paid_earlier(stage: Stage) -> None:
    stage.validate(1, 2550, stockId=4, beginningAt="2021-11-16T19:00:00Z")
    moved(stage, 4, "2021-11-17T19:00:00Z")
    moved(stage, 4, "2021-11-14T19:00:00Z")
    assert stage.close()["totalCents"] == 2550


def with_mistyped_bic(stage: Stage, bic: str) -> None:
    """Stores another structure's account with a BIC that older releases accepted."""
    stage.structure(2, "800000022")
    stage.venue(5, offerer=2)
    submitted = BankDetails.submit(stage.clock.now(), 99, 2, None, Account(iban(8), bic, "Star 8"))
    submitted.accept(stage.clock.now())
    with stage.store.transaction() as tx:
        tx.save(submitted)


def test_an_accepted_account_with_a_mistyped_bic_blocks_no_transfer(stage: Stage) -> None:
    with_mistyped_bic(stage, "BNPAFRPO")
    stage.validate(1, 2550)
    stage.validate(2, 1000, venue=5, offererId=2)
    batch = stage.close(key="k")
    assert (batch["status"], batch["lines"], batch["transfers"], batch["transferredCents"]) == ("closed", 2, 2, 3550)
    text = stage.query("transfers-xml", {"batchId": 1})["text"]
    assert text.count("<BIC>BNPAFRPP</BIC>") == 1
    assert iban(1) in text
    assert iban(8) in text
    stage.service.tasks[0].run()
    assert stage.close(key="k") == batch
    stage.command("mark-sent", {"batchId": 1})
    assert {line["status"] for line in stage.lines().values()} == {"sent"}
    stage.balanced()


def test_a_close_stopped_by_a_mistyped_bic_is_finished(stage: Stage) -> None:
    """Its lines are in the batch; an older release could not write its file."""
    with_mistyped_bic(stage, "BNPAFR0P")
    stage.validate(1, 2550)
    stage.validate(2, 1000, venue=5, offererId=2)
    opened_and_entered(stage, date(2021, 11, 15))
    assert stage.process.answer([Call("positions", {})])[0]["open"] == 1
    stage.service.tasks[0].run()
    assert stage.process.answer([Call("positions", {})])[0]["open"] == 0
    assert stage.query("payout", {"batchId": 1})["transferredCents"] == 3550
    stage.balanced()


def test_an_invalid_file_is_not_stored_as_the_outcome_of_a_close(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect of the code: once it is repaired, the same key closes."""
    stage.validate(1, 2550)
    with monkeypatch.context() as broken:
        broken.setattr("services.payout.files.transfers_xml.MAX_TRANSFER", 1)
        with pytest.raises(Refused) as caught:
            stage.close(key="k")
        with pytest.raises(FileNotValid):
            stage.service.tasks[0].run()
    assert (caught.value.code, caught.value.status) == ("file-not-valid", 500)
    assert stage.close(key="k")["transferredCents"] == 2550


@pytest.mark.parametrize("name", ["Культура", "--"])
def test_payout_does_not_start_with_a_debtor_outside_the_sepa_characters(tmp_path: Any, name: str) -> None:
    with pytest.raises(BadSettings, match="DEBTOR_NAME"):
        Stage(tmp_path, DEBTOR_NAME=name)


def opened_and_entered(stage: Stage, cutoff: date) -> None:
    """A close that stopped before its last transaction."""
    stage.clock.move_to(stage.clock.now().replace(day=16))
    closing = closing_of(stage)
    stage.store.run(lambda tx: closing._open(tx, Period("fortnight", cutoff), 3))
    stage.store.run(lambda tx: closing._enter_page(tx, 1))


def closing_of(stage: Stage) -> Any:
    return stage.service.tasks[0].run.__self__  # type: ignore[attr-defined]  # the composition's own


def test_a_later_period_closes_after_an_interrupted_one(stage: Stage) -> None:
    stage.validate(1, 2550)
    opened_and_entered(stage, date(2021, 11, 15))
    stage.validate(2, 1000)
    assert stage.close("2021-11-30", "2021-12-01T09:00:00Z")["totalCents"] == 1000
    assert [one["cutoff"] for one in stage.query("payouts")["items"]] == ["2021-11-30", "2021-11-15"]
    stage.balanced()


def test_two_periods_closed_at_one_instant_have_different_message_ids(stage: Stage) -> None:
    stage.validate(1, 2550)
    stage.validate(2, 1000, used_at="2021-10-31T09:00:00Z")
    stage.close("2021-10-31", "2021-11-16T09:00:00Z")
    stage.close("2021-11-15", "2021-11-16T09:00:00Z")
    texts = [stage.query("transfers-xml", {"batchId": number})["text"] for number in (1, 2)]
    names = [re.findall("<MsgId>(.*)</MsgId>", text) for text in texts]
    assert names == [["passCulture-SCT-20211116-090000-1"], ["passCulture-SCT-20211116-090000-2"]]


def delays(stage: Stage, batch_id: int = 1) -> dict[str, str]:
    """Price → delay, of a batch's lines."""
    text = stage.query("details-csv", {"batchId": batch_id})["text"].removeprefix("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";"))
    return {row["Prix de la réservation"]: row["Délai de paiement (jours)"] for row in rows}


def counted() -> dict[str, float]:
    """Count and sum of the delays that this process has observed."""
    found = {one.name: one.value for one in next(iter(metrics.payout_delays.collect())).samples if not one.labels}
    return {name.removeprefix("passculture_payout_delay_days_"): value for name, value in found.items()}


def test_the_delay_from_the_event_to_the_transfer_is_reported(stage: Stage) -> None:
    """Validated on the 2nd, executed on the 17th."""
    before = counted()
    stage.validate(1, 1001)
    stage.validate(2, 1002, beginningAt="2021-11-10T19:00:00Z")
    stage.validate(3, 1003, stockId=4, beginningAt="2021-11-10T19:00:00Z")
    moved(stage, 4, "2021-11-14T23:30:00Z")
    stage.close()
    assert delays(stage) == {"10,01": "15", "10,02": "7", "10,03": "2"}, "the third one is on the 15th in Paris"
    after = counted()
    assert (after["count"] - before["count"], after["sum"] - before["sum"]) == (3, 24)
    stage.invalidate(1)
    stage.validate(4, 5000)
    stage.close("2021-11-30", "2021-12-01T09:00:00Z")
    assert delays(stage, 2) == {"-10,01": "", "50,00": "16"}
    stage.close("2021-11-30", "2021-12-01T09:00:00Z")
    assert counted()["count"] - after["count"] == 1, "once for each line, and none for a correction"
    moved(stage, 4, "2021-11-20T19:00:00Z")
    assert delays(stage)["10,03"] == "2", "the file never changes"
    stage.balanced()


def in_debt(stage: Stage) -> None:
    """The account of Sarah's structure carries 1550 cents forward."""
    stage.validate(1, 2550)
    stage.close()
    stage.invalidate(1)
    stage.validate(2, 1000)
    assert stage.close("2021-11-30", "2021-12-01T09:00:00Z")["carriedCents"] == -1550


def test_a_debt_follows_its_debtor_to_another_account(stage: Stage) -> None:
    in_debt(stage)
    stage.accepted_account(2)
    stage.validate(3, 5000)
    preview = stage.query("preview", {"cutoff": "2021-12-15"})
    third = stage.close("2021-12-15", "2021-12-16T09:00:00Z")
    assert (third["totalCents"], third["transferredCents"], third["carriedCents"]) == (5000, 3450, 1550)
    assert (preview["transferredCents"], preview["carriedCents"]) == (3450, 1550)
    (transfer,) = stage.query("payout", {"batchId": third["batchId"]})["transferList"]
    assert (transfer["iban"], transfer["amountCents"]) == (iban(2), 3450)
    stage.balanced()
    stage.command("mark-sent", {"batchId": third["batchId"]})
    assert sorted(one["bookingId"] for one in stage.published("BookingReimbursed")) == [2, 3]
    stage.balanced()


def test_a_moved_debt_waits_on_the_new_account_until_it_can_be_set_off(stage: Stage) -> None:
    in_debt(stage)
    stage.accepted_account(2)
    assert stage.close("2021-12-15", "2021-12-16T09:00:00Z")["transfers"] == 0
    stage.balanced()
    stage.accepted_account(3)
    stage.validate(3, 5000)
    assert stage.close("2021-12-31", "2022-01-01T09:00:00Z")["transferredCents"] == 3450
    stage.balanced()


def test_a_debt_stays_on_an_account_that_still_pays_one_of_its_debtors(stage: Stage) -> None:
    stage.venue(2)
    in_debt(stage)
    stage.validate(7, 100, venue=2)
    stage.close("2021-12-15", "2021-12-16T09:00:00Z")
    stage.accepted_account(2, venue=1)
    stage.validate(3, 5000)
    stage.validate(4, 2000, venue=2)
    preview = stage.query("preview", {"cutoff": "2021-12-31"})
    batch = stage.close("2021-12-31", "2022-01-01T09:00:00Z")
    paid = {one["iban"]: one["amountCents"] for one in stage.query("payout", {"batchId": 4})["transferList"]}
    assert paid == {iban(1): 550, iban(2): 5000}
    assert preview["transferredCents"] == batch["transferredCents"] == 5550
    stage.balanced()
