"""Following the link of a mail: a first confirmation of the address, or a change of it."""

from __future__ import annotations

from typing import Any

from services.identity.application.failures import limited
from services.identity.application.tokens import CHANGE_EMAIL, CONFIRM_EMAIL, find_mail_token, new_token_pair
from services.identity.application.unit_of_work import Ports, UnitOfWork
from services.identity.domain.accounts import Account, Structure
from services.identity.domain.offerers import Offerer
from services.identity.refusals import TokenInvalid
from services.identity.storage import credentials, offerers, people
from shared.contracts.calls import identity as calls
from shared.eventstore.outcomes import Call


def confirm_email(ports: Ports, call: Call[calls.ConfirmEmail]) -> dict[str, Any]:
    """A token pair. Raises TokenInvalid, TokenExpired, NotFound, AccountSuspended, TooManyRequests."""
    with limited(ports, "mail-token", call.body.client_address):
        return ports.run(lambda work: _confirm(work, call.body.token))


def _confirm(work: UnitOfWork, token: str) -> dict[str, Any]:
    row = find_mail_token(work.connection, token, (CONFIRM_EMAIL, CHANGE_EMAIL), work.now)
    account = work.account(row.account_id)
    if row.purpose == CHANGE_EMAIL:
        _adopt_email(work, account, row.sealed)
    else:
        _confirm_first(work, account)
    credentials.use_mail_tokens(work.connection, account.number, row.purpose)
    account.require_usable()
    work.tx.save(account)
    return new_token_pair(work, account)


def _confirm_first(work: UnitOfWork, account: Account) -> None:
    """Confirms the address; the first time, a cultural actor's structure is registered or joined."""
    first_time = not account.confirmed
    account.confirm_email(work.now)
    if first_time and account.structure is not None:
        _join(work, account, account.structure)


def _join(work: UnitOfWork, account: Account, structure: Structure) -> None:
    """Registers the structure of a new SIREN, or requests an attachment to the structure that has it."""
    number = work.tx.next_number("offerer")
    known = offerers.claim_siren(work.connection, structure.siren, number)
    attachment = work.tx.next_number("attachment")
    if known == number:
        offerer = Offerer.register(work.now, number, structure)
        offerer.attach_first(work.now, attachment=attachment, account=account.number)
    else:
        offerer = work.offerer(known)
        offerer.request_attachment(work.now, attachment=attachment, account=account.number)
    work.tx.save(offerer)


def _adopt_email(work: UnitOfWork, account: Account, sealed_address: str) -> None:
    email = work.keys.open(account.number, sealed_address)["email"]
    digest = work.keys.digest("email", email)
    if digest == account.email_digest:
        return
    people.release_email(work.connection, account.number)
    if not people.claim_email(work.connection, digest, account.number):
        raise TokenInvalid("Cette adresse a entre-temps un autre compte : choisissez-en une autre.")
    _, sealed = work.changed_profile(account, email=email)
    account.change_email(work.now, email_digest=digest, sealed=sealed)
