"""Agreements about one offer or one structure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import sqlalchemy as sa

from services.payout.application import requests
from services.payout.domain.custom_rules import Agreement, CustomRule
from services.payout.domain.refusals import BadRequest, BadRule, NoSuchRuleOwner
from services.payout.storage import details, references
from shared.contracts.calls import catalog
from shared.contracts.subcategories import SUBCATEGORIES
from shared.eventstore import Store, Transaction
from shared.eventstore.outcomes import Outcome
from shared.kernel.errors import DomainError, Unavailable
from shared.kernel.money import Cents
from shared.kernel.time import instant_text
from shared.messaging.bus import Bus
from shared.messaging.calls import Call

ASK_SECONDS = 5.0
_MAX_AMOUNT = 1_000_000_00


class CustomRules:
    def __init__(self, store: Store, bus: Bus) -> None:
        self._store = store
        self._bus = bus

    def add(self, calls: Sequence[Call]) -> list[Outcome]:
        """Starts tomorrow in Paris at the earliest. Raises BadRule, NoSuchRuleOwner, RuleOverlaps, BadRequest;
        Unavailable without catalog."""
        return [self._outcome(call) for call in calls]

    def _outcome(self, call: Call) -> Outcome:
        try:
            self._check_owner(_rule(None, call.data))
            return self._store.decide(call, lambda tx: _agree(tx, call))
        except Unavailable as unknown:
            return unknown
        except DomainError as refusal:
            return self._store.record(call, refusal)

    def _check_owner(self, rule: CustomRule) -> None:
        """Structures are known here; whether there is an offer, catalog knows."""
        if rule.offerer_id is not None:
            with self._store.reading() as connection:
                if references.offerer(connection, rule.offerer_id) is None:
                    raise _unknown("offererId", f"there is no structure {rule.offerer_id}")
            return
        try:
            self._bus.query(catalog.Offer(offer_id=rule.offer_id), timeout=ASK_SECONDS)
        except DomainError as refusal:
            if refusal.status != 404:
                raise
            raise _unknown("offerId", f"there is no offer {rule.offer_id}") from None


def _agree(tx: Transaction, call: Call) -> dict[str, Any]:
    number = tx.next_number("custom-rule")  # from here on one after the other: nobody agrees on what overlaps unseen
    others = details.all_rules(tx.connection)
    agreement = Agreement.agree(tx.now, _rule(number, call.data), others)
    tx.save(agreement)
    return _shape(agreement.rule)


def _unknown(field: str, message: str) -> NoSuchRuleOwner:
    return NoSuchRuleOwner(message, errors={field: [message]})


def listed(connection: sa.Connection, _call: Call) -> dict[str, Any]:
    return {"items": [_shape(rule) for rule in details.all_rules(connection)], "nextCursor": None}


def of_offer(connection: sa.Connection, call: Call) -> dict[str, Any]:
    """``{offerId}`` → whether there was ever an agreement about this very offer."""
    offer_id = requests.number(call.data, "offerId")
    return {"agreed": any(rule.offer_id == offer_id for rule in details.all_rules(connection))}


def _rule(number: int | None, data: dict[str, Any]) -> CustomRule:
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
        "end": instant_text(rule.end),
    }
