"""What is asked of identity."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from services.identity import storage
from services.identity.application.ports import Ports, caller_account, secret_digest
from services.identity.domain.accounts import Account, open_window
from services.identity.domain.eligibility import Window, coming_window
from services.identity.domain.people import Profile, in_territory
from services.identity.sealing import Erased, KeyRing
from shared.contracts.calls import identity as calls
from shared.contracts.calls.contract import number_after
from shared.eventstore.outcomes import Call
from shared.kernel.errors import NotFound
from shared.kernel.time import instant_text

_NO_KEY = NotFound("no such API key")


class Questions:
    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    def me(self, connection: sa.Connection, call: Call[calls.Me]) -> dict[str, Any]:
        """The caller, with what comes next for them. Raises NotFound for who has no account (the command line)."""
        account = self._account(connection, caller_account(call))
        profile = KeyRing(self._ports.keys).open_profile(account.number, account.sealed)
        now = self._ports.store.clock.now()
        coming = coming_window(profile.birth_date, now) if in_territory(profile.postal_code) else None
        step = account.next_step(profile, now)
        return {
            "accountId": account.number,
            **_shown(profile),
            "birthDate": profile.birth_date.isoformat() if profile.birth_date else None,
            "postalCode": profile.postal_code or None,
            "city": profile.city or None,
            "address": profile.address or None,
            "activity": profile.activity or None,
            "roles": sorted(role.value for role in account.roles),
            "status": account.status,
            "eligibility": _window(open_window(profile, now)),
            "nextEligibility": _window(coming),
            "nextStep": step.value if step else None,
            "version": account.version,
        }

    def people(self, connection: sa.Connection, batch: Sequence[Call[calls.People]]) -> list[dict[str, Any]]:
        """Names and addresses in bulk, for what must show them; the erased are ``effacé``, the unknown absent."""
        numbers = sorted({number for call in batch for number in call.body.account_ids})
        rows = storage.sealed_people(connection, numbers)
        keys = KeyRing(self._ports.keys)
        keys.load(row.account_id for row in rows)
        shown = {row.account_id: _shown(keys.open_profile(row.account_id, row.sealed)) for row in rows}
        return [
            {"people": {str(number): shown[number] for number in sorted(set(call.body.account_ids)) if number in shown}}
            for call in batch
        ]

    def offerers(self, connection: sa.Connection, call: Call[calls.Offerers]) -> dict[str, Any]:
        """The structures that the caller acts for, or asked to act for."""
        rows = storage.offerers_of_account(connection, caller_account(call))
        return {"items": [{**_offerer(row), "attachment": row.attachment} for row in rows]}

    def offerer(self, connection: sa.Connection, call: Call[calls.Offerer]) -> dict[str, Any]:
        number = call.body.offerer_id
        row = storage.offerer(connection, number)
        if row is None:
            raise NotFound("no such structure")
        return _offerer(row)

    def api_key(self, connection: sa.Connection, batch: Sequence[Call[calls.ApiKey]]) -> list[Any]:
        """Whose structure's keys these are."""
        keys = [call.body.key[:300] for call in batch]
        known = storage.api_keys_by_prefix(connection, sorted({_prefix(key) for key in keys}))
        return [_owner(known.get(_prefix(key)), key) for key in keys]

    def api_keys(self, connection: sa.Connection, call: Call[calls.ApiKeys]) -> dict[str, Any]:
        """The prefixes of a structure's keys, for those who act for it."""
        number = call.body.offerer_id
        if caller_account(call) not in storage.accounts_of_offerer(connection, number):
            raise NotFound("no such structure")
        rows = storage.api_keys_of_offerer(connection, number)
        return {"items": [{"prefix": row.prefix, "createdAt": instant_text(row.created_at)} for row in rows]}

    def pending(self, connection: sa.Connection, call: Call[calls.PendingList]) -> dict[str, Any]:
        """What awaits staff, oldest first, a page at a time."""
        body = call.body
        show, find, number = {
            "offerers": (_pending_offerers, storage.offerers_by_status, "offererId"),
            "attachments": (_pending_attachments, storage.attachments_by_status, "attachmentId"),
            "identity-checks": (_pending_checks, storage.checks_by_status, "identityCheckId"),
        }[body.what]
        limit = body.limit
        rows = find(connection, body.status, number_after(body.cursor) or 0, limit + 1)
        items = show(connection, KeyRing(self._ports.keys), rows[:limit])
        return {"items": items, "nextCursor": str(items[-1][number]) if len(rows) > limit else None}

    def _account(self, connection: sa.Connection, number: int) -> Account:
        account: Account | None = None
        for event in self._ports.store.log.streams(connection, [Account.stream(number)]):
            account = event.mutate(account)
        if account is None or account.erased:
            raise NotFound("no such account")
        return account


def _shown(profile: Profile) -> dict[str, Any]:
    return {
        "firstName": profile.first_name,
        "lastName": profile.last_name,
        "email": profile.email,
        "phoneNumber": profile.phone_number,
    }


def _window(window: Window | None) -> dict[str, Any] | None:
    """``until`` is the first instant at which it is too late."""
    if window is None:
        return None
    return {"kind": window.kind.value, "from": instant_text(window.begins), "until": instant_text(window.ends)}


def _offerer(row: storage.Row) -> dict[str, Any]:
    return {
        "offererId": row.offerer_id,
        "siren": row.siren,
        "name": row.name,
        "address": row.address,
        "postalCode": row.postal_code,
        "city": row.city,
        "status": row.status,
    }


def _pending_offerers(connection: sa.Connection, keys: KeyRing, rows: Sequence[storage.Row]) -> list[dict[str, Any]]:
    first = storage.applicants(connection, [row.offerer_id for row in rows])
    people = _people(connection, keys, first.values())
    return [
        {
            **_offerer(row),
            "registeredAt": instant_text(row.registered_at),
            "applicant": people(first.get(row.offerer_id)),
        }
        for row in rows
    ]


def _pending_attachments(connection: sa.Connection, keys: KeyRing, rows: Sequence[storage.Row]) -> list[dict[str, Any]]:
    people = _people(connection, keys, [row.account_id for row in rows])
    return [
        {
            "attachmentId": row.attachment_id,
            "offererId": row.offerer_id,
            "siren": row.siren,
            "name": row.name,
            "status": row.status,
            "requestedAt": instant_text(row.requested_at),
            "applicant": people(row.account_id),
        }
        for row in rows
    ]


def _pending_checks(connection: sa.Connection, keys: KeyRing, rows: Sequence[storage.Row]) -> list[dict[str, Any]]:
    people = _people(connection, keys, [row.account_id for row in rows])
    keys.load(row.account_id for row in rows)
    return [
        {
            "identityCheckId": row.check_id,
            "status": row.status,
            "items": row.items,
            "declared": _declared(keys, row),
            "checkedAt": instant_text(row.checked_at),
            "applicant": people(row.account_id),
        }
        for row in rows
    ]


def _declared(keys: KeyRing, row: storage.Row) -> dict[str, Any] | None:
    try:
        return keys.open(row.account_id, row.sealed_declared)
    except Erased:
        return None


def _people(
    connection: sa.Connection, keys: KeyRing, numbers: Iterable[int]
) -> Callable[[int | None], dict[str, Any] | None]:
    rows = storage.sealed_people(connection, sorted(set(numbers)))
    keys.load(row.account_id for row in rows)
    shown = {
        row.account_id: {"accountId": row.account_id, **_shown(keys.open_profile(row.account_id, row.sealed))}
        for row in rows
    }
    return lambda number: shown.get(number) if number is not None else None


def _prefix(key: str) -> str:
    return key.rpartition("_")[0]


def _owner(row: storage.Row | None, key: str) -> dict[str, Any] | NotFound:
    same = row is not None and hmac.compare_digest(row.digest, secret_digest(key))
    return {"offererId": row.offerer_id} if row is not None and same else _NO_KEY
