"""The embedded identity-check provider (decision 35): compares what is declared with the account."""

from __future__ import annotations

from services.identity.domain.checks import Declared, Item, Outcome
from services.identity.domain.people import Profile, normal_name


class EmbeddedProvider:
    """``ok`` when the names and the birth date are the account's, ``suspicious`` where a name differs, ``ko`` where the
    birth date does."""

    def check(self, declared: Declared, account: Profile) -> list[Item]:
        return [
            _item(
                "first-name", normal_name(declared.first_name) == normal_name(account.first_name), Outcome.SUSPICIOUS
            ),
            _item("last-name", normal_name(declared.last_name) == normal_name(account.last_name), Outcome.SUSPICIOUS),
            _item("birth-date", declared.birth_date == account.birth_date, Outcome.KO),
        ]


def _item(name: str, same: bool, otherwise: Outcome) -> Item:
    return Item(name, Outcome.OK) if same else Item(name, otherwise, "differs from the account")
