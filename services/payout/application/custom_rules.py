"""Agreements about one offer or one structure."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

import sqlalchemy as sa

from services.payout.application import requests
from services.payout.domain.custom_rules import Agreement, CustomRule
from services.payout.domain.refusals import BadRequest, BadRule
from services.payout.storage import details
from shared.contracts.subcategories import SUBCATEGORIES
from shared.eventstore import Transaction
from shared.kernel.money import Cents
from shared.kernel.time import instant_text
from shared.messaging.calls import Call

_MAX_AMOUNT = 1_000_000_00


def add(tx: Transaction, call: Call) -> dict[str, Any]:
    """Starts tomorrow in Paris at the earliest. Raises BadRule, RuleOverlaps, BadRequest."""
    others = details.all_rules(tx.connection)
    agreement = Agreement.agree(tx.now, _rule(tx.next_number("custom-rule"), call.data), others)
    tx.save(agreement)
    return _shape(agreement.rule)


def listed(connection: sa.Connection, _call: Call) -> dict[str, Any]:
    return {"items": [_shape(rule) for rule in details.all_rules(connection)], "nextCursor": None}


def _rule(number: int, data: dict[str, Any]) -> CustomRule:
    amount = requests.optional_number(data, "amountCents", at_least=0, at_most=_MAX_AMOUNT)
    try:
        return CustomRule(
            start=requests.instant(data, "start"),
            end=requests.optional_instant(data, "end"),
            offer_id=requests.optional_number(data, "offerId"),
            offerer_id=requests.optional_number(data, "offererId"),
            amount=None if amount is None else Cents(amount),
            rate=_rate(data.get("rate")),
            subcategories=_subcategories(data.get("subcategories")),
            rule_id=number,
        )
    except ValueError as error:
        raise BadRule(str(error)) from None


def _rate(value: Any) -> str | None:
    if value is None:
        return None
    try:
        short = isinstance(value, str | int | float) and not isinstance(value, bool) and len(str(value)) <= 20
        if short and Decimal(str(value)).is_finite():
            return f"{Decimal(str(value)):f}"
    except InvalidOperation:
        pass
    raise BadRequest("rate: a decimal number is needed", errors={"rate": ["a decimal number is needed"]})


def _subcategories(value: Any) -> tuple[str, ...]:
    value = [] if value is None else value
    if not isinstance(value, list) or any(not isinstance(one, str) or one not in SUBCATEGORIES for one in value):
        raise BadRequest("subcategories: a list of known ones", errors={"subcategories": ["a list of known ones"]})
    return tuple(value)


def _shape(rule: CustomRule) -> dict[str, Any]:
    return {
        "customRuleId": rule.rule_id,
        "offerId": rule.offer_id,
        "offererId": rule.offerer_id,
        "amountCents": rule.amount,
        "rate": rule.rate,
        "subcategories": list(rule.subcategories),
        "start": instant_text(rule.start),
        "end": None if rule.end is None else instant_text(rule.end),
    }
