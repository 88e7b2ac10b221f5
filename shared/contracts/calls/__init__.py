"""The calls between services: one contract each, in the module of the service that answers it.

========  ============================================================
contract  what a contract is made of: typed data, authority, refusals
types     the types that contracts are written with
platform  the calls that every service answers
others    the calls of the service of that name
========  ============================================================
"""

from __future__ import annotations

import inspect
from importlib import import_module

from shared.contracts.calls.contract import Contract

OWNERS = ("platform", "identity", "catalog", "booking", "wallet", "payout")


def contracts_of(owner: str) -> dict[str, type[Contract]]:
    """The contracts of a service's calls by name, in the order of its module; ``platform``: those of every service."""
    module = import_module(f"{__name__}.{owner}")
    found = [kind for _, kind in inspect.getmembers(module, inspect.isclass) if issubclass(kind, Contract)]
    own = [kind for kind in found if kind.__module__ == module.__name__ and kind.NAME]
    return {kind.NAME: kind for kind in sorted(own, key=lambda kind: inspect.getsourcelines(kind)[1])}
