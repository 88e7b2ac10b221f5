"""Erasing a person: their data first, then, after the commit, their key."""

from __future__ import annotations

from contextlib import suppress

from services.identity.application.unit_of_work import Ports, UnitOfWork, caller_account
from services.identity.storage import erasures, offerers, people
from shared.contracts.calls import identity as calls
from shared.eventstore import Transaction
from shared.eventstore.outcomes import Call, Outcome
from shared.kernel.callers import Caller
from shared.kernel.errors import DomainError, Forbidden, Unavailable

MAX_KEYS_PER_RUN = 200


def erase(ports: Ports, call: Call[calls.Erase]) -> Outcome:
    """Erases the caller's account, or a given one for staff, operators and the platform. Idempotent."""

    def decide(tx: Transaction) -> Outcome:
        _erase(UnitOfWork(ports, tx), call)
        return {}

    outcome = ports.store.decide(call, decide)
    if not isinstance(outcome, DomainError):
        with suppress(Unavailable):  # the erasure is committed: a task destroys the key later
            destroy_keys(ports)
    return outcome


def destroy_keys(ports: Ports) -> None:
    """Destroys the keys of erased people; also a task, for keys that a crash or an outage left.

    Raises StoreUnavailable while the keys cannot be reached, even if there are none to destroy: health shows it.
    """
    with ports.store.reading() as connection:
        accounts = erasures.to_destroy(connection, MAX_KEYS_PER_RUN)
    if not accounts:
        ports.keys.ping()
        return
    ports.keys.destroy(accounts)
    ports.run(lambda work: erasures.mark_destroyed(work.connection, accounts))


def _erase(work: UnitOfWork, call: Call[calls.Erase]) -> None:
    number = call.body.account_id or caller_account(call)
    _check_may_erase(call.caller, number)
    account = work.account(number)
    profile = work.profile(account)
    if not account.erase(work.now):
        return
    for row in offerers.of_account(work.connection, number):
        offerer = work.offerer(row.offerer_id)
        offerer.detach(work.now, number)
        work.tx.save(offerer)
    for recipient in filter(None, (profile.email, profile.phone_number)):
        work.ports.outbox.withdraw(work.tx, recipient)
    people.release_email(work.connection, number)
    people.release_claim(work.connection, number, "phone")
    work.tx.save(account)
    work.tx.flush()
    erasures.delete_person(work.connection, number)


def _check_may_erase(caller: Caller | None, number: int) -> None:
    if caller is not None and caller.account_id != number and not caller.roles & {"staff", "operator"}:
        raise Forbidden("Vous ne pouvez effacer que votre propre compte.")
