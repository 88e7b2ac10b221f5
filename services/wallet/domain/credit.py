"""One credit: a granted amount, and the place of each cent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.wallet.refusals import InconsistentMoney
from shared.kernel.money import ZERO, Cents


class Place(StrEnum):
    """Where a cent of a credit can be."""

    AVAILABLE = "available"
    RESERVED = "reserved"
    SPENT = "spent"
    LAPSED = "lapsed"


@dataclass(frozen=True, slots=True)
class Credit:
    """``granted = available + reserved + spent + lapsed``, always: money only moves from one place to another.

    ``digital_held``, ``physical_held``: the reserved and spent money that counts towards each cap. ``expires_at``: the
    first instant at which nothing can be reserved any more.
    """

    credit_id: int
    kind: str
    granted_at: datetime
    expires_at: datetime
    digital_cap: Cents | None
    physical_cap: Cents | None
    granted: Cents = ZERO
    available: Cents = ZERO
    reserved: Cents = ZERO
    spent: Cents = ZERO
    lapsed: Cents = ZERO
    digital_held: Cents = ZERO
    physical_held: Cents = ZERO
    last_recredit: int | None = None
    """The age of the latest recredit."""

    def grown(self, amount: Cents, age: int | None = None) -> Credit:
        """With ``amount`` more granted: the first grant, or the recredit of an ``age``."""
        return replace(
            self,
            granted=Cents(self.granted + amount),
            available=Cents(self.available + amount),
            last_recredit=self.last_recredit if age is None else age,
        )

    def moved(self, amount: Cents, source: Place, target: Place) -> Credit:
        return replace(
            self, **{source.value: getattr(self, source) - amount, target.value: getattr(self, target) + amount}
        )

    def counted(self, amount: Cents, *, digital: bool, physical: bool) -> Credit:
        """With ``amount`` more, or less if negative, counted towards the caps."""
        return replace(
            self,
            digital_held=Cents(self.digital_held + (amount if digital else 0)),
            physical_held=Cents(self.physical_held + (amount if physical else 0)),
        )

    def is_live(self, at: datetime) -> bool:
        return at < self.expires_at

    def remaining(self, at: datetime) -> Cents:
        """The money that can be reserved at an instant."""
        return self.available if self.is_live(at) else ZERO

    def digital_remaining(self, at: datetime) -> Cents | None:
        """None: no cap."""
        return self._under(self.digital_cap, self.digital_held, at)

    def physical_remaining(self, at: datetime) -> Cents | None:
        return self._under(self.physical_cap, self.physical_held, at)

    def check(self) -> None:
        """Called where money is written and where it is read. Raises InconsistentMoney."""
        problem = self.problem()
        if problem is not None:
            raise InconsistentMoney(problem)

    def problem(self) -> str | None:
        """The identity that does not hold, if any."""
        places = (self.available, self.reserved, self.spent, self.lapsed)
        if self.granted != sum(places):
            return f"credit {self.credit_id}: {self.granted} granted, {sum(places)} accounted for"
        held = (self.digital_held, self.physical_held)
        if min(*places, *held) < 0 or max(held) > self.reserved + self.spent:
            return f"credit {self.credit_id}: impossible amounts {places} {held}"
        return None

    def _under(self, cap: Cents | None, held: Cents, at: datetime) -> Cents | None:
        return None if cap is None else Cents(min(max(0, cap - held), self.remaining(at)))
