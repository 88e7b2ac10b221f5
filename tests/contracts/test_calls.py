"""Every service answers the calls of its contracts and no others, and refuses bad data and wrong callers itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from docs.registrations import built_services
from shared.contracts.calls import OWNERS, contracts_of
from shared.contracts.calls.contract import Command, Contract
from shared.eventstore.outcomes import Call
from shared.kernel.callers import Caller
from shared.kernel.errors import DomainError
from shared.messaging.answering import Commands, Queries
from shared.runtime.service import Service

SERVICES = [owner for owner in OWNERS if owner != "platform"]
CONTRACTS = [
    pytest.param(kind, id=f"{owner}.{name}") for owner in SERVICES for name, kind in contracts_of(owner).items()
]
NONSENSE = {"nonsense": True}
"""No field of any contract takes it."""


@pytest.fixture(scope="module")
def services() -> Iterator[Mapping[str, Service]]:
    with built_services() as found:
        yield found


class NoStore:
    """Names its service, and opens no transaction."""

    def __init__(self, service: Service) -> None:
        self.publication = service.store.publication


def refusal(services: Mapping[str, Service], contract: type[Contract], data: Any, caller: Caller | None) -> DomainError:
    """What the owner refuses a call with, before it opens any transaction."""
    service = services[contract.SERVICE]
    store: Any = NoStore(service)
    call = Call(contract.NAME, data, caller=caller)
    if issubclass(contract, Command):
        outcome = Commands(store, service.commands).decide([call])[0][0]
    else:
        outcome = Queries(store, service.queries).answer([call])[0]
    assert isinstance(outcome, DomainError)
    return outcome


def admitted(contract: type[Contract]) -> Caller | None:
    if contract.BY.platform or contract.BY.anyone:
        return None
    offerer = 5 if contract.BY.api_keys and not (contract.BY.roles or contract.BY.accounts) else None
    return Caller(1, contract.BY.roles, offerer)


@pytest.mark.parametrize("owner", SERVICES)
def test_every_contract_has_a_handler_and_every_handler_a_contract(services: Mapping[str, Service], owner: str) -> None:
    contracts = contracts_of(owner)
    handlers = {**services[owner].commands, **services[owner].queries}
    assert {name: handler.contract for name, handler in handlers.items()} == contracts
    commands = {name for name, contract in contracts.items() if issubclass(contract, Command)}
    assert set(services[owner].commands) == commands


@pytest.mark.parametrize("contract", CONTRACTS)
def test_bad_data_are_refused_by_their_owner_with_the_field(
    services: Mapping[str, Service], contract: type[Contract]
) -> None:
    caller = admitted(contract)
    for bound in contract.FIELDS:
        refused = refusal(services, contract, {bound.key: NONSENSE}, caller)
        assert refused.status == 422
        assert any(name.partition(".")[0] == bound.key for name in refused.errors), bound.key
        if bound.required:
            assert bound.key in refusal(services, contract, NONSENSE, caller).errors
    refused = refusal(services, contract, NONSENSE, caller)
    assert (refused.status, refused.errors["nonsense"]) == (422, ["Unknown field."])


@pytest.mark.parametrize("contract", [one for one in CONTRACTS if not one.values[0].BY.anyone])
def test_a_wrong_caller_is_refused_by_the_owner(services: Mapping[str, Service], contract: type[Contract]) -> None:
    by = contract.BY
    if not by.platform:
        assert refusal(services, contract, NONSENSE, None).status == 401
    if not by.accounts:
        assert refusal(services, contract, NONSENSE, Caller(1, frozenset())).status == 403
    if not by.api_keys:
        assert refusal(services, contract, NONSENSE, Caller(1, frozenset({"pro"}), 5)).status == 401
