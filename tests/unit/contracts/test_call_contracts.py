"""Contracts of calls, beyond single fields: exactly one of several fields, null, base64, cursors."""

from __future__ import annotations

from typing import Any

import pytest

from shared.contracts.calls.contract import CursorInvalid, number_after
from shared.contracts.calls.payout import AddCustomRule, AddDocument, ReimbursementsCsv, SubmitBankDetails
from shared.kernel.errors import Invalid

ACCOUNT = {"iban": "FR76", "bic": "BNPAFRPP", "holder": "Star"}
RULE = {"start": "2021-11-03T00:00:00Z", "offerId": 1, "rate": "0.5"}


def errors(contract: Any, data: dict[str, Any]) -> dict[str, list[str]]:
    with pytest.raises(Invalid) as refusal:
        contract.read(data)
    return refusal.value.errors


def test_exactly_one_of_several_fields_is_needed() -> None:
    expected = {"offererId": ["Indiquez un seul de ces champs\u00a0: offererId, venueId."]}
    assert errors(SubmitBankDetails, ACCOUNT) == expected
    assert errors(SubmitBankDetails, {**ACCOUNT, "offererId": 1, "venueId": 2}) == expected
    assert SubmitBankDetails.read({**ACCOUNT, "venueId": 2}).to_wire() == {**ACCOUNT, "venueId": 2}
    assert errors(AddCustomRule, {**RULE, "amountCents": 100}) == {
        "rate": ["Indiquez un seul de ces champs\u00a0: rate, amountCents."],
    }
    assert AddCustomRule.read(RULE).amount is None


def test_fields_are_checked_together_once_each_is_valid() -> None:
    assert set(errors(SubmitBankDetails, {**ACCOUNT, "iban": 5})) == {"iban"}
    assert errors(ReimbursementsCsv, {"columns": 15}) == {"columns": ["Choisissez 14 ou 16 colonnes."]}
    assert ReimbursementsCsv.read({"columns": 14}).columns == 14


@pytest.mark.parametrize("key", ["offerId", "offererId", "amountCents", "rate"])
def test_an_optional_field_is_nullable_only_if_declared_so(key: str) -> None:
    assert set(errors(AddCustomRule, {**RULE, key: None})) == {key}
    assert AddCustomRule.read({**RULE, "end": None}).end is None


def test_bytes_travel_as_base64() -> None:
    document = AddDocument(bank_details_id=1, kind="rib", content=b"%PDF")
    wire = {"bankDetailsId": 1, "kind": "rib", "content": "JVBERg=="}
    assert document.to_wire() == wire
    assert AddDocument.read(wire) == document
    for content in ("JVBERg", "é", "%PDF", 5):
        assert set(errors(AddDocument, {**wire, "content": content})) == {"content"}


@pytest.mark.parametrize("cursor", ["0", "00", "-1", "1.0", "١", "9" * 16])
def test_a_cursor_other_than_a_positive_number_is_refused(cursor: str) -> None:
    with pytest.raises(CursorInvalid):
        number_after(cursor)


def test_a_cursor_is_a_number_and_optional() -> None:
    assert (number_after("17"), number_after(None)) == (17, None)
