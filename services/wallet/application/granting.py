"""Identity's messages grant credits: the first of each kind at an activation, and recredits on birthdays."""

from __future__ import annotations

from datetime import date

from services.wallet.application.unit_of_work import UnitOfWork
from services.wallet.domain import rules
from services.wallet.refusals import InconsistentMoney
from shared.eventstore import Message, Transaction
from shared.kernel.time import parse_instant


def grant_at_activation(tx: Transaction, message: Message) -> None:
    """BeneficiaryActivated. Raises InconsistentMoney when no rule grants anything: identity should not have activated
    this person."""
    data = message.data
    at, kind = parse_instant(data["activatedAt"]), rules.Kind(data["kind"])
    rule = rules.grant_rule(kind, data["age"], at)
    if rule is None:
        raise InconsistentMoney(f"no credit of kind {kind} for age {data['age']} at {at}")
    work = UnitOfWork.of(tx)
    work.load([data["personId"]])
    wallet = work.find_or_open(data["personId"], at)
    if wallet.is_due(kind):
        birth = date.fromisoformat(data["birthDate"]) if data["birthDate"] else None
        wallet.grant(at, tx.next_number("credit"), rule, birth)
    work.save(wallet)


def recredit_on_birthday(tx: Transaction, message: Message) -> None:
    """BirthdayReached: 16 and 17 add to a credit; other birthdays are ignored."""
    work = UnitOfWork.of(tx)
    work.load([message.data["personId"]])
    wallet = work.find(message.data["personId"])
    if wallet is not None:
        wallet.recredit(parse_instant(message.data["at"]), message.data["age"])
        work.save(wallet)
