"""Bank details: submitted, accepted, rejected, invalid."""

from __future__ import annotations

import pytest

from shared.kernel.errors import Refused
from tests.unit.payout.stage import SARAH, STRANGER, Stage, iban, refused


def test_a_venues_bank_details_take_precedence_over_its_structures(stage: Stage) -> None:
    number = {"offererId": 1, "iban": iban(5), "bic": "BNPAFRPP", "holder": "Star"}
    assert refused(stage, "submit-bank-details", number, caller=STRANGER) == "not-found"
    bad = {**number, "iban": "FR761234", "bic": "x"}
    with pytest.raises(Refused) as caught:
        stage.command("submit-bank-details", bad, caller=SARAH)
    assert set(caught.value.errors) == {"iban", "bic"}
    pending = stage.command("submit-bank-details", number, caller=SARAH)
    assert [one["bankDetailsId"] for one in stage.query("pending-bank-details")["items"]] == [pending["bankDetailsId"]]
    stage.validate(1, 1000)
    stage.close()
    assert stage.query("payout", {"batchId": 1})["transferList"][0]["iban"] == iban(1), "pending ones hide nothing"
    chosen = {"bankDetailsId": pending["bankDetailsId"]}
    assert stage.command("reject-bank-details", chosen)["status"] == "rejected"
    assert stage.command("reject-bank-details", chosen)["status"] == "rejected"
    assert refused(stage, "accept-bank-details", chosen) == "bank-details-already-decided"
    assert refused(stage, "accept-bank-details", {"bankDetailsId": 999}) == "bank-details-not-found"


@pytest.mark.parametrize("message", ["OffererClosed", "OffererRejected"])
def test_a_closed_structure_cannot_change_bank_details(stage: Stage, message: str) -> None:
    details = stage.submitted()
    stage.receive("identity", message, offererId=1, at="2021-11-02T09:00:00Z", reason="ended")
    bank = {"offererId": 1, "iban": iban(6), "bic": "BNPAFRPP", "holder": "Star"}
    venue = {**bank, "venueId": 1}
    for data in (bank, {name: value for name, value in venue.items() if name != "offererId"}):
        assert refused(stage, "submit-bank-details", data, caller=SARAH) == "offerer-closed"
    with pytest.raises(Refused) as closed:
        stage.add_document(details, b"%PDF-1.7 %%EOF")
    assert closed.value.code == "offerer-closed"


@pytest.mark.parametrize("bic", ["BNPAFRPO", "BNPAFR0P"])
def test_an_impossible_bic_is_refused(stage: Stage, bic: str) -> None:
    data = {"offererId": 1, "iban": iban(5), "bic": bic, "holder": "Star"}
    with pytest.raises(Refused) as caught:
        stage.command("submit-bank-details", data, caller=SARAH)
    assert (caught.value.code, set(caught.value.errors)) == ("bank-details-invalid", {"bic"})
