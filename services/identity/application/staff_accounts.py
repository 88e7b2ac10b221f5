"""Accounts of staff, finance and operators."""

from __future__ import annotations

from typing import Any

from services.identity.application.signing_up import new_account
from services.identity.application.unit_of_work import Ports, UnitOfWork
from services.identity.domain.accounts import Role
from services.identity.domain.passwords import check_password
from services.identity.domain.people import Profile, normal_email
from services.identity.refusals import EmailTaken
from shared.contracts.calls import identity as calls
from shared.eventstore.outcomes import Call


def create_staff(ports: Ports, call: Call[calls.CreateStaff]) -> dict[str, Any]:
    """``{accountId}``: an account that may sign in at once. Raises EmailTaken, PasswordWeak."""
    body = call.body
    check_password(body.password)
    password_hash = ports.hasher.hash(body.password)
    profile = Profile(normal_email(body.email), body.first_name, body.last_name)

    def create(work: UnitOfWork) -> dict[str, Any]:
        account = new_account(work, profile, password_hash, map(Role, body.roles), None)
        if account is None:
            raise EmailTaken("Cette adresse a déjà un compte : indiquez-en une autre.")
        account.confirm_email(work.now)
        work.tx.save(account)
        return {"accountId": account.number}

    return ports.run(create)
