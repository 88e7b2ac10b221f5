"""What is mutated, which tests must notice, and the page with the figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.mutation.mutants import Mutant

FLOOR = 0.90


@dataclass(frozen=True)
class Group:
    """Modules with rules of one kind. ``tests``: the files that find most mutants first, because the first failure ends
    a run."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]


def _in(folder: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{folder}/{name}.py" for name in names)


GROUPS = {
    "prices": Group(
        _in(
            "services/payout/domain",
            "scales",
            "revenue",
            "pricing",
            "custom_rules",
            "establishment_year",
            "batches",
            "periods",
            "bank_calendar",
        ),
        (
            *_in("tests/unit/payout", "test_rules", "test_periods", "test_price_command", "test_custom_rules"),
            *_in("tests/unit/payout", "test_establishment_year", "test_closing", "test_reading", "test_reconciling"),
            "tests/property/test_payout_life.py",
        ),
    ),
    "wallet": Group(
        _in("services/wallet/domain", "rules", "credit", "entries", "wallet"),
        (
            *_in(
                "tests/unit/wallet",
                "test_wallet",
                "test_rules",
                "test_grants",
                "test_reserving",
                "test_balances",
                "test_reading",
            ),
            *_in("tests/unit/wallet", "test_following", "test_ledger", "test_money_property"),
        ),
    ),
    "booking": Group(
        _in("services/booking/domain", "rules", "desk", "states", "stock", "booking"),
        (
            *_in(
                "tests/unit/booking",
                "test_rules",
                "test_booking",
                "test_cancelling",
                "test_desk",
                "test_due",
                "test_stocks",
            ),
            *_in("tests/unit/booking", "test_saga", "test_reading", "test_mails"),
        ),
    ),
}


@dataclass(frozen=True)
class Result:
    """The figures of a module. ``mutants`` counts the equivalent ones too."""

    group: str
    path: str
    mutants: int
    equivalent: int
    survivors: Sequence[Mutant]

    @property
    def tried(self) -> int:
        return self.mutants - self.equivalent

    @property
    def killed(self) -> int:
        return self.tried - len(self.survivors)

    @staticmethod
    def share_of(results: Sequence[Result], group: str) -> float | None:
        """The share of a group's mutants that were killed; None if it was not run."""
        own = [result for result in results if result.group == group]
        tried = sum(result.tried for result in own)
        return sum(result.killed for result in own) / tried if tried else None


_HEAD = """# Mutation testing

`make mutation` changes the rules of prices, of the wallet and of bookings in one place at a time (`<` to `<=`, `+` to
`-`, a number by one, a condition to its opposite, …) and runs the unit tests on each such mutant. A mutant is killed if
a test fails. Mutants that no test can notice are listed with the reason in `tests/mutation/equivalent.toml`. The
command fails under {floor} in a group.

Measured on {day}, in {minutes:.0f} minutes.
"""


def written(results: Sequence[Result], seconds: float) -> str:
    """The page."""
    lines = [_HEAD.format(floor=f"{FLOOR:.0%}", day=f"{datetime.now(UTC):%Y-%m-%d}", minutes=seconds / 60)]
    lines += ["| Group | Module | Mutants | Equivalent | Killed | Survived | |", "|---|---|--:|--:|--:|--:|--:|"]
    for name in GROUPS:
        own = [result for result in results if result.group == name]
        lines += [_row(name, f"`{result.path}`", [result]) for result in own]
        lines += [_row(f"**{name}**", "", own)] if own else []
    lines += ["", "## Survivors", ""]
    survivors = [mutant for result in results for mutant in result.survivors]
    lines += [f"- `{one.path}`: `{one.before}` → `{one.after}`" for one in survivors] or ["None."]
    return "\n".join(lines) + "\n"


def _row(group: str, module: str, results: Sequence[Result]) -> str:
    tried, killed = sum(result.tried for result in results), sum(result.killed for result in results)
    share = f"{killed / tried:.1%}" if tried else ""
    mutants, equivalent = sum(result.mutants for result in results), sum(result.equivalent for result in results)
    return f"| {group} | {module} | {mutants} | {equivalent} | {killed} | {tried - killed} | {share} |"
