"""Balances and ledger lines, now or as they stood: what was recorded up to an instant, judged at that instant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.wallet import storage
from services.wallet.application import requests
from services.wallet.domain.credit import Credit
from services.wallet.domain.entries import Entry, entries
from services.wallet.domain.wallet import Wallet
from shared.eventstore import Store
from shared.eventstore.outcomes import Call
from shared.kernel.errors import DomainError, NotFound
from shared.kernel.identifiers import stream_id
from shared.kernel.money import Cents
from shared.kernel.time import instant_text

SEES_ALL = frozenset({"staff", "finance", "operator"})


class Reading:
    def __init__(self, store: Store) -> None:
        self._store = store

    def credit(self, connection: sa.Connection, calls: Sequence[Call]) -> list[Any]:
        """``{personId, asOf?}`` → ``{current, credits}``; ``current`` is null for who has none."""
        people = [_person(call) for call in calls]
        live = {person for person, call in zip(people, calls, strict=True) if call.data.get("asOf") is None}
        owned = storage.credits_of(connection, sorted(person for person in live if isinstance(person, int)))
        now = self._store.clock.now()
        answers: list[Any] = []
        for person, call in zip(people, calls, strict=True):
            if isinstance(person, DomainError):
                answers.append(person)
            elif call.data.get("asOf") is None:
                answers.append(_credits_view(owned.get(person, []), now))
            else:
                answers.append(self._credit_as_of(connection, person, call))
        return answers

    def entries(self, connection: sa.Connection, call: Call) -> dict[str, Any]:
        """``{personId, cursor?, limit?, asOf?}`` → ``{items, nextCursor}``, the oldest first."""
        person = _person(call)
        if isinstance(person, DomainError):
            raise person
        after, limit, as_of = requests.page(call.data)
        if as_of is None:
            found = storage.entries_of(connection, person, after, limit + 1)
        else:
            lines = entries(self._history(connection, person, as_of))
            found = [entry for entry in lines if entry.entry_id > after][: limit + 1]
        page, text = found[:limit], instant_text(as_of)
        return {
            "items": [_entry_view(entry) for entry in page],
            "nextCursor": requests.cursor(page[-1].entry_id, text) if len(found) > limit else None,
        }

    def balances(self, connection: sa.Connection, call: Call) -> dict[str, Any]:
        """``{position?, cursor?, limit?}`` → ``{position, items, nextCursor}``: what everybody had left when the log
        stood at a position, by person. ``theoreticalCents`` is what can still be booked with, ``actualCents`` that and
        what is held for bookings; what has lapsed is nobody's any more.

        One position gives the same answer for ever.
        """
        if call.caller is not None and not call.caller.roles & SEES_ALL:
            raise NotFound("There is no such list.")
        position, after, limit = requests.people(call.data, self._store.log.head(connection))
        found = storage.people_after(connection, after, limit + 1)
        people = found[:limit]
        owned = storage.credits_of(connection, people)
        # asked after the rows were read: whoever's rows had moved on by then is among these
        moved = storage.people_moved_since(connection, people, position)
        for wallet in self._wallets_at(connection, moved, position):
            owned[wallet.person_id] = list(wallet.credits.values())
            moved.remove(wallet.person_id)
        return {
            "position": position,
            "items": [
                _balance_view(person, owned[person]) for person in people if owned.get(person) and person not in moved
            ],
            "nextCursor": requests.cursor(people[-1]) if len(found) > limit else None,
        }

    def _wallets_at(self, connection: sa.Connection, people: Iterable[int], position: int) -> Iterable[Wallet]:
        """The wallets of people as they were folded up to a position; not of those who had none yet."""
        wallets: dict[Any, Wallet] = {}
        streams = [stream_id("wallet", person) for person in sorted(people)]
        for event in self._store.log.streams(connection, streams, until=position):
            wallets[event.originator_id] = event.mutate(wallets.get(event.originator_id))
        return wallets.values()

    def _credit_as_of(self, connection: sa.Connection, person: int, call: Call) -> Any:
        try:
            as_of = requests.instant(call.data, "asOf")
        except DomainError as refusal:
            return refusal
        assert as_of is not None
        wallet: Wallet | None = None
        for event in self._history(connection, person, as_of):
            wallet = event.mutate(wallet)
        if wallet is None:
            return _credits_view([], as_of)
        return _credits_view(wallet.credits.values(), as_of)

    def _history(self, connection: sa.Connection, person: int, as_of: datetime) -> list[Any]:
        return list(self._store.log.streams(connection, [stream_id("wallet", person)], recorded_until=as_of))


def _person(call: Call) -> int | DomainError:
    """Whose wallet: a person sees their own only; somebody else's is not found (decision 21)."""
    try:
        person = requests.number(call.data, "personId")
    except DomainError as refusal:
        return refusal
    caller = call.caller
    if caller is not None and caller.account_id != person and not caller.roles & SEES_ALL:
        return NotFound("There is no such wallet.")
    return person


def _credits_view(owned: Iterable[Credit], at: datetime) -> dict[str, Any]:
    credits = list(owned)
    for credit in credits:
        credit.check()
    current = max(credits, key=lambda credit: credit.expires_at, default=None)
    return {
        "current": None if current is None else _credit_view(current, at),
        "credits": [_credit_view(credit, at) for credit in credits],
    }


def _credit_view(credit: Credit, at: datetime) -> dict[str, Any]:
    return {
        "creditId": credit.credit_id,
        "kind": credit.kind,
        "grantedCents": credit.granted,
        "remainingCents": credit.remaining(at),
        "reservedCents": credit.reserved,
        "spentCents": credit.spent,
        "lapsedCents": credit.lapsed + (credit.available - credit.remaining(at)),
        "digital": _cap_view(credit.digital_cap, credit.digital_remaining(at)),
        "physical": _cap_view(credit.physical_cap, credit.physical_remaining(at)),
        "grantedAt": instant_text(credit.granted_at),
        "expiresAt": instant_text(credit.expires_at),
    }


def _balance_view(person: int, owned: Iterable[Credit]) -> dict[str, int]:
    """What was granted, less what is booked, or less what was used; expiry is of no account (domain.md §1.2)."""
    theoretical = held = 0
    for credit in owned:
        credit.check()
        theoretical += credit.available + credit.lapsed
        held += credit.reserved
    return {"personId": person, "theoreticalCents": theoretical, "actualCents": theoretical + held}


def _cap_view(cap: Cents | None, remaining: Cents | None) -> dict[str, int] | None:
    return None if cap is None or remaining is None else {"capCents": cap, "remainingCents": remaining}


def _entry_view(entry: Entry) -> dict[str, Any]:
    return {
        "entryId": entry.entry_id,
        "at": instant_text(entry.at),
        "kind": entry.kind,
        "amountCents": entry.amount,
        "balanceCents": entry.balance,
        "creditId": entry.credit_id,
        "bookingId": entry.booking_id,
    }
