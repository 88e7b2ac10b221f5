"""The embedded identity-check provider (decision 35): compares the declared document with the account."""

from __future__ import annotations

from services.identity.domain.checks import Declared, Item, Outcome
from services.identity.domain.people import Profile, normal_name


class EmbeddedProvider:
    """A name that differs is suspicious, a birth date that differs is ko."""

    def check(self, declared: Declared, account: Profile) -> list[Item]:
        same_first = normal_name(declared.first_name) == normal_name(account.first_name)
        same_last = normal_name(declared.last_name) == normal_name(account.last_name)
        return [
            _item("first-name", same_first, Outcome.SUSPICIOUS),
            _item("last-name", same_last, Outcome.SUSPICIOUS),
            _item("birth-date", declared.birth_date == account.birth_date, Outcome.KO),
        ]


def _item(name: str, same: bool, otherwise: Outcome) -> Item:
    return Item(name, Outcome.OK) if same else Item(name, otherwise, "differs from the account")
