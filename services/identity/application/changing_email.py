"""Changing the e-mail address: a mail to the new address has a link, and the address is adopted when it is followed."""

from __future__ import annotations

from typing import Any

from services.identity.application import deferred_requests
from services.identity.application.passwords import verify_password
from services.identity.application.tokens import CHANGE_EMAIL, new_mail_token, secret_digest
from services.identity.application.unit_of_work import Ports, UnitOfWork, caller_account
from services.identity.domain.people import normal_email
from services.identity.storage import people
from shared.contracts.calls import identity as calls
from shared.eventstore.outcomes import Call


def change_email(ports: Ports, call: Call[calls.ChangeEmail]) -> dict[str, Any]:
    """The same answer whether or not the new address has an account. Raises CredentialsInvalid, TooManyRequests."""
    number = caller_account(call)
    verify_password(ports, number, call.body.password)
    content = {"account": number, "email": normal_email(call.body.email)}
    ports.run(lambda work: deferred_requests.defer(work, deferred_requests.CHANGE_EMAIL, content))
    return {}


def mail_new_address(work: UnitOfWork, content: dict[str, Any]) -> None:
    """The deferred part: mails the link, unless the address has an account or the account is no longer active."""
    number, email = content["account"], content["email"]
    account = work.account(number)
    if account.status != "active":
        return
    if people.account_of_email(work.connection, work.keys.digest("email", email)) is not None:
        return
    token = new_mail_token(work, number, CHANGE_EMAIL, work.keys.seal(number, {"email": email}))
    profile, _ = work.changed_profile(account, email=email)
    work.notify(work.ports.mails.change_email(profile, token), f"change-email/{secret_digest(token)}")
