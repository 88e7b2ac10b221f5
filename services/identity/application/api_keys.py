"""API keys of structures."""

from __future__ import annotations

from typing import Any

from services.identity.application.tokens import secret_digest
from services.identity.application.unit_of_work import Ports, UnitOfWork, caller_account
from shared.contracts.calls import identity as calls
from shared.eventstore.outcomes import Call


def create_api_key(ports: Ports, call: Call[calls.CreateApiKey]) -> dict[str, Any]:
    """``{key, prefix}``: ``<environment>_<12 hex>_<64 hex>``. Nothing stores the key: a repetition makes another.

    Raises NotFound, TooManyKeys, AccountSuspended, EmailNotConfirmed.
    """
    number = caller_account(call)

    def create(work: UnitOfWork) -> dict[str, Any]:
        work.usable_account(number)
        offerer = work.offerer(call.body.offerer_id)
        chance = ports.randomness.draw("api-key", work.tx.next_number("api-key"))
        prefix = f"{ports.key_environment}_{chance.randbytes(6).hex()}"
        key = f"{prefix}_{chance.randbytes(32).hex()}"
        offerer.create_api_key(work.now, account=number, prefix=prefix, digest=secret_digest(key))
        work.tx.save(offerer)
        return {"key": key, "prefix": prefix}

    return ports.run(create)


def delete_api_key(work: UnitOfWork, call: Call[calls.DeleteApiKey]) -> dict[str, Any]:
    """Raises NotFound."""
    offerer = work.offerer(call.body.offerer_id)
    offerer.delete_api_key(work.now, account=caller_account(call), prefix=call.body.prefix)
    work.tx.save(offerer)
    return {}
