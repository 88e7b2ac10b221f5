"""Whose wallet a caller sees."""

from __future__ import annotations

from services.wallet.refusals import UnknownWallet
from shared.kernel.callers import Caller

SEES_ALL = frozenset({"staff", "finance", "operator"})


def check_visible(person_id: int, caller: Caller | None) -> None:
    """A person sees their own wallet only; another one is not found (decision 21). Raises UnknownWallet."""
    if caller is not None and caller.account_id != person_id and not caller.roles & SEES_ALL:
        raise UnknownWallet
