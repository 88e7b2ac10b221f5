"""Every service answers the calls of its contracts and no others, and refuses bad data and wrong callers itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from docs.registrations import built_services
from shared.contracts.calls import OWNERS, contracts_of
from shared.contracts.calls.contract import Command, Contract
from shared.eventstore.outcomes import Call
from shared.kernel.callers import Caller
from shared.kernel.errors import DomainError, Invalid
from shared.messaging.answering import Commands, Queries
from shared.messaging.calls import CommandHandler, QueryHandler, by_name
from shared.runtime.platform_calls import PlatformCalls
from tests.french import objection, typographic_objection

KINDS = [kind for owner in OWNERS for kind in contracts_of(owner).values()]
CONTRACTS = [pytest.param(kind, id=f"{kind.SERVICE or 'platform'}.{kind.NAME}") for kind in KINDS]
NONSENSE = {"nonsense": True}
"""No field of any contract takes it."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)

Handlers = Mapping[str, tuple[Mapping[str, CommandHandler], Mapping[str, QueryHandler]]]
"""By owner: its commands and its queries."""


@pytest.fixture(scope="module")
def handlers() -> Iterator[Handlers]:
    with built_services() as services:
        platform = PlatformCalls(cast(Any, SimpleNamespace(service=None, store=None)))
        yield {
            "platform": (by_name(platform.commands()), by_name(platform.queries())),
            **{name: (service.commands, service.queries) for name, service in services.items()},
        }


NO_STORE: Any = SimpleNamespace(publication=SimpleNamespace(service="nobody"))
"""Opens no transaction."""


def refusal(handlers: Handlers, contract: type[Contract], data: Any, caller: Caller | None) -> DomainError:
    """What the owner refuses a call with, before it opens any transaction."""
    commands, queries = handlers[contract.SERVICE or "platform"]
    call = Call(contract.NAME, data, caller=caller)
    if issubclass(contract, Command):
        outcome = Commands(NO_STORE, commands).decide([call])[0][0]
    else:
        outcome = Queries(NO_STORE, queries).answer([call])[0]
    assert isinstance(outcome, DomainError)
    check_french(outcome)
    return outcome


def check_french(refused: DomainError) -> None:
    for text in (refused.detail, *(text for texts in refused.errors.values() for text in texts)):
        assert objection(text) is None, text
        assert typographic_objection(text) is None, text


def admitted(contract: type[Contract]) -> Caller | None:
    if contract.BY.platform or contract.BY.anyone:
        return None
    offerer = 5 if contract.BY.api_keys and not (contract.BY.roles or contract.BY.accounts) else None
    return Caller(1, contract.BY.roles, offerer)


@pytest.mark.parametrize("owner", OWNERS)
def test_every_contract_has_a_handler_and_every_handler_a_contract(handlers: Handlers, owner: str) -> None:
    contracts = contracts_of(owner)
    commands, queries = handlers[owner]
    assert {name: handler.contract for name, handler in {**commands, **queries}.items()} == contracts
    assert set(commands) == {name for name, contract in contracts.items() if issubclass(contract, Command)}


@pytest.mark.parametrize("contract", CONTRACTS)
def test_bad_data_are_refused_by_their_owner_with_the_field(handlers: Handlers, contract: type[Contract]) -> None:
    caller = admitted(contract)
    for bound in contract.FIELDS:
        refused = refusal(handlers, contract, {bound.key: NONSENSE}, caller)
        assert refused.status == 422
        assert any(name.partition(".")[0] == bound.key for name in refused.errors), bound.key
        if bound.required:
            assert bound.key in refusal(handlers, contract, NONSENSE, caller).errors
    refused = refusal(handlers, contract, NONSENSE, caller)
    assert (refused.status, refused.errors["nonsense"]) == (422, ["Ce champ n’existe pas."])


@pytest.mark.parametrize("contract", [one for one in CONTRACTS if not one.values[0].BY.anyone])
def test_a_wrong_caller_is_refused_by_the_owner(handlers: Handlers, contract: type[Contract]) -> None:
    by = contract.BY
    if not by.platform:
        assert refusal(handlers, contract, NONSENSE, None).status == 401
    if not by.accounts:
        assert refusal(handlers, contract, NONSENSE, Caller(1, frozenset())).status == 403
    if not by.api_keys:
        assert refusal(handlers, contract, NONSENSE, Caller(1, frozenset({"pro"}), 5)).status == 401


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_whatever_is_wrong_with_data_is_said_in_french(data: st.DataObject) -> None:
    contract = data.draw(st.sampled_from([kind for kind in KINDS if kind.FIELDS]))
    keys = st.sampled_from([bound.key for bound in contract.FIELDS])
    try:
        contract.read(data.draw(st.dictionaries(keys, JSON, min_size=1, max_size=3) | JSON))
    except Invalid as refused:
        check_french(refused)
