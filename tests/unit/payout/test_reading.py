"""Reimbursements and establishments' years, now and as of an instant; their files and cursors."""

from __future__ import annotations

import csv
import io

import pytest

from shared.kernel.errors import Refused
from shared.kernel.time import instant_text
from tests.unit.payout.stage import OFFICE, SARAH, STRANGER, Stage, refused


def test_actors_see_the_reimbursements_of_their_structures_only(stage: Stage) -> None:
    stage.validate(1, 2550)
    assert stage.query("reimbursements", caller=STRANGER)["items"] == []
    line = next(iter(stage.lines().values()))
    assert (line["venueName"], line["amountCents"], line["rate"], line["batchId"]) == ("Lieu 1", 2550, "1", None)
    assert stage.query("reimbursements", {"asOf": "2021-11-02T08:59:59Z"}, caller=SARAH)["items"] == []
    stage.close()
    stage.command("mark-sent", {"batchId": 1})
    past = stage.query("reimbursements", {"asOf": "2021-11-15T00:00:00Z"}, caller=SARAH)["items"]
    assert [one["status"] for one in past] == ["waiting"]
    text = stage.query("reimbursements-csv", {"columns": 16}, caller=SARAH)["text"]
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff")), delimiter=";"))
    assert len(rows[0]) == 16
    assert rows[1][:3] == ["2021", "Novembre : remboursement 1ère quinzaine", "Lieu 1"]
    assert "Martin 7" in rows[1]
    assert rows[1][-1] == "Remboursement envoyé"
    early = {"columns": 16, "asOf": "2021-11-15T00:00:00Z"}
    assert stage.query("reimbursements-csv", early, caller=SARAH)["text"].count("\r\n") == 1, (
        "it was waiting at that instant"
    )
    older = stage.query("reimbursements-csv", {"columns": 14}, caller=SARAH)["text"]
    assert older.count(";", 0, older.index("\n")) == 13


def test_an_open_line_shows_its_current_revenue(stage: Stage) -> None:
    stage.validate(1, 2550)
    stage.clock.move_to(stage.clock.now().replace(day=3))
    stage.validate(2, 1090, used_at="2021-11-01T10:00:00Z")
    shown = {line["bookingId"]: line["revenueCents"] for line in stage.lines().values()}
    assert shown == {1: 3640, 2: 1090}
    as_of = "2021-11-02T23:00:00Z"
    assert [line["revenueCents"] for line in stage.lines(asOf=as_of).values()] == [2550]
    assert [one["revenueCents"] for one in stage.published("BookingPriced")] == [2550, 1090]
    stage.close()
    assert {line["bookingId"]: line["revenueCents"] for line in stage.lines().values()} == shown
    assert [one["revenueCents"] for one in stage.published("BookingPriced")] == [2550, 1090, 3640]
    now = instant_text(stage.clock.now())
    for number in (5, 4, 3):
        stage.validate(number, 100, used_at=now)  # at one instant: by their numbers
    stage.validate(6, 100, used_at="2021-11-01T09:00:00Z")  # used before the lines of the batch, and counted after them
    stage.invalidate(1)  # a correction of a line of the batch
    shown = {line["bookingId"]: line["revenueCents"] for line in stage.lines().values() if line["corrects"] is None}
    assert shown == {1: 3640, 2: 1090, 6: 1190, 3: 1290, 4: 1390, 5: 1490}
    stage.balanced()


def test_a_year_now_and_as_of_an_instant(stage: Stage) -> None:
    stage.validate(1, 15_000_00)
    stage.clock.move_to(stage.clock.now().replace(day=10))
    stage.validate(2, 10_000_00)
    query = {"establishment": stage.establishment(1), "year": 2021}
    now = stage.query("establishment-year", query)
    assert now == {
        **query, "revenueCents": 2500000, "rate": "0.95", "nextThresholdCents": 4000000, "leftBeforeNextCents": 1500000,
        "reimbursedCents": 2450000, "contributionCents": 50000, "paidCents": 0, "pendingCents": 2450000,
    }  # fmt: skip
    then = stage.query("establishment-year", {**query, "asOf": "2021-11-05T00:00:00Z"})
    assert (then["revenueCents"], then["rate"], then["leftBeforeNextCents"]) == (1500000, "1", 500000)
    assert stage.query("establishment-year", {**query, "year": 2020})["revenueCents"] == 0


@pytest.mark.parametrize("cursor", ["0" * 19 + "1" + "9" * 20, "9" * 18, "0", "-1", "", "1.0", "١"])
def test_an_invalid_cursor_is_refused(stage: Stage, cursor: str) -> None:
    for name, caller in (("reimbursements", SARAH), ("payouts", OFFICE), ("pending-bank-details", OFFICE)):
        with pytest.raises(Refused) as caught:
            stage.query(name, {"cursor": cursor}, caller=caller)
        assert (caught.value.code, set(caught.value.errors)) == ("cursor-invalid", {"cursor"})


@pytest.mark.parametrize(("first", "last", "found"), [("1900-01-01", "2200-12-30", 1), ("2200-12-30", "2200-12-30", 0)])
def test_the_first_and_last_days_of_the_calendar_are_accepted(stage: Stage, first: str, last: str, found: int) -> None:
    stage.validate(1, 2550)
    assert len(stage.lines(periodFrom=first, periodTo=last)) == found
    for cutoff in (first, last):
        assert refused(stage, "close", {"cutoff": cutoff}) == "cutoff-ends-no-period"


@pytest.mark.parametrize("day", ["0001-01-01", "1899-12-31", "2201-01-01", "9999-12-31"])
def test_a_day_outside_the_calendar_is_refused(stage: Stage, day: str) -> None:
    assert refused(stage, "close", {"cutoff": day}) == "invalid"
    for name in ("periodFrom", "periodTo"):
        with pytest.raises(Refused) as caught:
            stage.lines(**{name: day})
        assert (caught.value.code, set(caught.value.errors)) == ("invalid", {name})
