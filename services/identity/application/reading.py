"""The queries of identity."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from services.identity import answers
from services.identity.application.tokens import secret_digest
from services.identity.application.unit_of_work import Ports, caller_account
from services.identity.domain.accounts import Account
from services.identity.refusals import no_account, no_api_key, no_offerer
from services.identity.sealing import KeyRing
from services.identity.storage import identity_checks, offerers, people
from shared.contracts.calls import identity as calls
from shared.contracts.calls.contract import number_after
from shared.eventstore import Connection
from shared.eventstore.outcomes import Call
from shared.kernel.errors import NotFound

MAX_KEY_LENGTH = 300
Applicants = Callable[[int | None], dict[str, Any] | None]


class Reading:
    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    def me(self, connection: Connection, call: Call[calls.Me]) -> dict[str, Any]:
        """Raises NotFound for a caller without an account (the command line)."""
        account = self._account(connection, caller_account(call))
        profile = KeyRing(self._ports.keys).open_profile(account.number, account.sealed)
        return answers.me(account, profile, self._ports.store.clock.now())

    def people(self, connection: Connection, batch: Sequence[Call[calls.People]]) -> list[dict[str, Any]]:
        """Unknown accounts are absent."""
        numbers = {number for call in batch for number in call.body.account_ids}
        found = _people(connection, KeyRing(self._ports.keys), numbers)
        return [
            {"people": {str(number): found[number] for number in sorted(set(call.body.account_ids)) if number in found}}
            for call in batch
        ]

    def offerers(self, connection: Connection, call: Call[calls.Offerers]) -> dict[str, Any]:
        rows = offerers.of_account(connection, caller_account(call))
        return {"items": [{**answers.offerer(row), "attachment": row.attachment} for row in rows]}

    def offerer(self, connection: Connection, call: Call[calls.Offerer]) -> dict[str, Any]:
        """Raises NotFound."""
        row = offerers.by_number(connection, call.body.offerer_id)
        if row is None:
            raise no_offerer()
        return answers.offerer(row)

    def api_key(self, connection: Connection, batch: Sequence[Call[calls.ApiKey]]) -> list[dict[str, Any] | NotFound]:
        keys = [call.body.key[:MAX_KEY_LENGTH] for call in batch]
        rows = offerers.api_keys_by_prefix(connection, sorted({_prefix(key) for key in keys}))
        return [_owner(rows.get(_prefix(key)), key) for key in keys]

    def api_keys(self, connection: Connection, call: Call[calls.ApiKeys]) -> dict[str, Any]:
        """Raises NotFound for a caller who does not act for the structure."""
        number = call.body.offerer_id
        if caller_account(call) not in offerers.accounts_of(connection, number):
            raise no_offerer()
        return {"items": [answers.api_key(row) for row in offerers.api_keys_of(connection, number)]}

    def pending(self, connection: Connection, call: Call[calls.PendingList]) -> dict[str, Any]:
        body = call.body
        find, show, number = {
            "offerers": (offerers.by_status, _pending_offerers, "offererId"),
            "attachments": (offerers.attachments_by_status, _pending_attachments, "attachmentId"),
            "identity-checks": (identity_checks.by_status, _pending_checks, "identityCheckId"),
        }[body.what]
        rows = find(connection, body.status, number_after(body.cursor) or 0, body.limit + 1)
        items = show(connection, KeyRing(self._ports.keys), rows[: body.limit])
        return {"items": items, "nextCursor": str(items[-1][number]) if len(rows) > body.limit else None}

    def _account(self, connection: Connection, number: int) -> Account:
        account: Account | None = None
        for event in self._ports.store.log.streams(connection, [Account.stream(number)]):
            account = event.mutate(account)
        if account is None or account.erased:
            raise no_account()
        return account


def _pending_offerers(connection: Connection, keys: KeyRing, rows: Sequence[Any]) -> list[dict[str, Any]]:
    first = offerers.first_accounts(connection, [row.offerer_id for row in rows])
    applicant = _applicants(connection, keys, first.values())
    return [answers.pending_offerer(row, applicant(first.get(row.offerer_id))) for row in rows]


def _pending_attachments(connection: Connection, keys: KeyRing, rows: Sequence[Any]) -> list[dict[str, Any]]:
    applicant = _applicants(connection, keys, [row.account_id for row in rows])
    return [answers.pending_attachment(row, applicant(row.account_id)) for row in rows]


def _pending_checks(connection: Connection, keys: KeyRing, rows: Sequence[Any]) -> list[dict[str, Any]]:
    applicant = _applicants(connection, keys, [row.account_id for row in rows])
    return [answers.pending_check(row, keys, applicant(row.account_id)) for row in rows]


def _people(connection: Connection, keys: KeyRing, numbers: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Names and addresses of the accounts that exist."""
    rows = people.sealed_profiles(connection, sorted(set(numbers)))
    keys.load(row.account_id for row in rows)
    return {row.account_id: answers.person(keys.open_profile(row.account_id, row.sealed)) for row in rows}


def _applicants(connection: Connection, keys: KeyRing, numbers: Iterable[int]) -> Applicants:
    found = _people(connection, keys, numbers)
    return lambda number: {"accountId": number, **found[number]} if number in found else None


def _prefix(key: str) -> str:
    return key.rpartition("_")[0]


def _owner(row: Any | None, key: str) -> dict[str, Any] | NotFound:
    if row is not None and hmac.compare_digest(row.digest, secret_digest(key)):
        return {"offererId": row.offerer_id}
    return no_api_key()
