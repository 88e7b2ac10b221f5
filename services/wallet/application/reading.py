"""Balances and ledger lines, now or as they stood: what was recorded up to an instant, judged at that instant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from services.wallet import storage
from services.wallet.domain.credit import Credit
from services.wallet.domain.entries import Entry, entries
from services.wallet.domain.wallet import Wallet
from shared.contracts.calls import wallet as calls
from shared.contracts.calls.contract import CursorInvalid, number_after
from shared.eventstore import Connection, Store
from shared.eventstore.outcomes import Call, Caller
from shared.kernel.errors import DomainError, Invalid, NotFound
from shared.kernel.identifiers import stream_id
from shared.kernel.money import Cents
from shared.kernel.time import instant_text, parse_optional_instant

SEES_ALL = frozenset({"staff", "finance", "operator"})


class Reading:
    def __init__(self, store: Store) -> None:
        self._store = store

    def credit(self, connection: Connection, batch: Sequence[Call[calls.Credit]]) -> list[dict[str, Any] | DomainError]:
        """``current`` is null for a person without a credit."""
        refused = [_refusal(call.body.person_id, call.caller) for call in batch]
        live = {call.body.person_id for call in batch if call.body.as_of is None}
        owned, now = storage.credits_of(connection, sorted(live)), self._store.clock.now()
        return [
            refusal or self._credit(connection, call.body, owned, now)
            for call, refusal in zip(batch, refused, strict=True)
        ]

    def entries(self, connection: Connection, call: Call[calls.Entries]) -> dict[str, Any]:
        person, limit = call.body.person_id, call.body.limit
        if (refusal := _refusal(person, call.caller)) is not None:
            raise refusal
        after, as_of = _read_cursor(call.body)
        if as_of is None:
            found = storage.entries_of(connection, person, after, limit + 1)
        else:
            lines = entries(self._history(connection, person, as_of))
            found = [entry for entry in lines if entry.entry_id > after][: limit + 1]
        page = found[:limit]
        return {
            "items": [_entry_view(entry) for entry in page],
            "nextCursor": _cursor(page[-1], as_of) if len(found) > limit else None,
        }

    def balances(self, connection: Connection, call: Call[calls.Balances]) -> dict[str, Any]:
        """``theoreticalCents`` is what can still be booked with, ``actualCents`` that and what is held for bookings."""
        head, limit = self._store.log.head(connection), call.body.limit
        position = head if call.body.position is None else min(head, call.body.position)
        found = storage.people_after(connection, number_after(call.body.cursor) or 0, limit + 1)
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
            "nextCursor": str(people[-1]) if len(found) > limit else None,
        }

    def _wallets_at(self, connection: Connection, people: Iterable[int], position: int) -> Iterable[Wallet]:
        """The wallets of people as they were folded up to a position; not of those who had none yet."""
        wallets: dict[Any, Wallet] = {}
        streams = [stream_id("wallet", person) for person in sorted(people)]
        for event in self._store.log.streams(connection, streams, until=position):
            wallets[event.originator_id] = event.mutate(wallets.get(event.originator_id))
        return wallets.values()

    def _credit(
        self, connection: Connection, query: calls.Credit, owned: Mapping[int, Sequence[Credit]], now: datetime
    ) -> dict[str, Any]:
        if query.as_of is None:
            return _credits_view(owned.get(query.person_id, ()), now)
        wallet: Wallet | None = None
        for event in self._history(connection, query.person_id, query.as_of):
            wallet = event.mutate(wallet)
        return _credits_view(() if wallet is None else wallet.credits.values(), query.as_of)

    def _history(self, connection: Connection, person: int, as_of: datetime) -> list[Any]:
        return list(self._store.log.streams(connection, [stream_id("wallet", person)], recorded_until=as_of))


def _refusal(person_id: int, caller: Caller | None) -> DomainError | None:
    """A person sees their own wallet only; somebody else's is not found (decision 21)."""
    if caller is None or caller.account_id == person_id or caller.roles & SEES_ALL:
        return None
    return NotFound("There is no such wallet.")


def _cursor(last: Entry, as_of: datetime | None) -> str:
    """The last line shown, and the ``asOf`` of its page: ``5~2021-11-02T09:00:00Z``."""
    return str(last.entry_id) if as_of is None else f"{last.entry_id}~{instant_text(as_of)}"


def _read_cursor(query: calls.Entries) -> tuple[int, datetime | None]:
    """After which line, and as of when. A cursor brings its ``asOf`` along. Raises CursorInvalid."""
    if query.cursor is None:
        return 0, query.as_of
    after, _, text = query.cursor.partition("~")
    try:
        as_of = parse_optional_instant(text or None)
    except (ValueError, OverflowError):
        raise CursorInvalid(errors={"cursor": ["Not a cursor of this list."]}) from None
    if query.as_of not in (None, as_of):
        raise Invalid(errors={"cursor": ["Of another asOf."]})
    return number_after(after) or 0, as_of


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
