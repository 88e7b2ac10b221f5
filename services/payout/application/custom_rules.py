"""Custom reimbursement rules, agreed for one offer or one structure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from services.payout import answers
from services.payout.domain.custom_rules import Agreement, CustomRule
from services.payout.neighbours import Catalog
from services.payout.refusals import BadRule, NoSuchRuleOwner
from services.payout.storage import custom_rules, references
from shared.contracts.calls import payout as calls
from shared.eventstore import Connection, Store, Transaction
from shared.eventstore.outcomes import Call, Outcome
from shared.kernel.errors import DomainError, Unavailable

Adding = Call[calls.AddCustomRule]


class AddingRules:
    """Agrees rules, once their offer or structure is known to exist."""

    def __init__(self, store: Store, catalog: Catalog) -> None:
        self._store = store
        self._catalog = catalog

    def add(self, batch: Sequence[Adding]) -> list[Outcome]:
        """The rule of each call. Refuses with BadRule, NoSuchRuleOwner, RuleOverlaps; Unavailable without catalog."""
        return [self._outcome(call) for call in batch]

    def _outcome(self, call: Adding) -> Outcome:
        try:
            rule = _rule(call.body)
            self._check_owner(rule)
            return self._store.decide(call, lambda tx: _agree(tx, rule))
        except Unavailable as unknown:
            return unknown
        except DomainError as refusal:
            return self._store.record(call, refusal)

    def _check_owner(self, rule: CustomRule) -> None:
        """Payout keeps the structures; only catalog knows the offers. Raises NoSuchRuleOwner, Unavailable."""
        if rule.offer_id is not None:
            if not self._catalog.has_offer(rule.offer_id):
                raise NoSuchRuleOwner.of_field("offerId", "Aucune offre n’a ce numéro : vérifiez-le.")
            return
        assert rule.offerer_id is not None, "a rule has an offer or a structure"
        with self._store.reading() as connection:
            if references.offerer(connection, rule.offerer_id) is None:
                raise NoSuchRuleOwner.of_field("offererId", "Aucune structure n’a ce numéro : vérifiez-le.")


def _agree(tx: Transaction, rule: CustomRule) -> dict[str, Any]:
    number = tx.next_number("custom-rule")  # its row lock lets one transaction at a time compare rules with its own
    others = custom_rules.all_rules(tx.connection)
    agreement = Agreement.agree(tx.now, replace(rule, rule_id=number), others)
    tx.save(agreement)
    return answers.custom_rule(agreement.rule)


def _rule(body: calls.AddCustomRule) -> CustomRule:
    """Raises BadRule for an end that is not after the start; the contract has checked the rest."""
    try:
        return CustomRule(
            start=body.start,
            end=body.end,
            offer_id=body.offer_id,
            offerer_id=body.offerer_id,
            amount=body.amount,
            rate=body.rate,
            subcategories=body.subcategories,
        )
    except ValueError:
        raise BadRule.of_field("end", "La règle doit se terminer après son début.") from None


def listed(connection: Connection, _call: Call[calls.CustomRules]) -> dict[str, Any]:
    """Every rule, oldest first."""
    return {"items": [answers.custom_rule(rule) for rule in custom_rules.all_rules(connection)], "nextCursor": None}


def of_offer(connection: Connection, call: Call[calls.OfferRule]) -> dict[str, Any]:
    """``{agreed}``: whether a rule was ever agreed for this very offer."""
    return {"agreed": any(rule.offer_id == call.body.offer_id for rule in custom_rules.all_rules(connection))}
