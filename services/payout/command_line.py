"""``passculture price``: prices validated bookings from JSON lines, with the code that the service runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer

from services.payout.domain.custom_rules import CustomRule
from services.payout.domain.pricing import Priceable
from services.payout.domain.pricing import price as priced
from services.payout.domain.revenue import enters_revenue, revenue_year
from services.payout.domain.scales import TODAY, Register
from services.payout.domain.scales import known_on as register_known_on
from shared.contracts.subcategories import SUBCATEGORIES
from shared.kernel.identifiers import MAX_NUMBER
from shared.kernel.money import MAX_CENTS, ZERO, Cents

_RULE_FIELDS = {"offerId", "offererId", "amountCents", "rate", "subcategories", "start", "end"}
_MAX_QUANTITY = 1_000_000

RULES_HELP = (
    'a file with a JSON list of custom rules: [{"offerId": 7, "rate": "0.8", "start": "2021-11-03T00:00:00Z"}]; '
    "offererId for all of a structure, amountCents for a fixed amount, end, subcategories"
)


def price(
    known_on: Annotated[str, typer.Option(help="a date: the rule register as published on that day")] = "",
    custom_rules: Annotated[Path | None, typer.Option(help=RULES_HELP)] = None,
) -> None:
    """Prices JSON lines of validated bookings from the standard input, in order.

    A line: {"siret": "34086387400024", "subcategory": "CONCERT", "unitPriceCents": 2550, "quantity": 1,
    "usedAt": "2021-11-02T18:30:00Z"}. It is printed with revenueCents, rate, reimbursedCents and rule added.

    Optional fields: "educational"; "offerId" and "offererId", for custom rules; "revenueCents", the year's revenue with
    this booking, which is otherwise the sum of the earlier lines.
    """
    try:
        register = _register(known_on)
        rules = read_custom_rules(custom_rules) if custom_rules else ()
    except (ValueError, OSError) as error:
        raise SystemExit(f"passculture price: {error}") from None
    lines = (line.decode("utf-8", "replace") for line in sys.stdin.buffer)
    try:
        for line in price_lines(lines, rules, register):
            sys.stdout.write(line + "\n")
    except ValueError as error:
        sys.stdout.flush()
        raise SystemExit(f"passculture price: {error}") from None


def _register(known_on: str) -> Register:
    if not known_on:
        return TODAY
    try:
        day = date.fromisoformat(known_on)
    except ValueError:
        raise ValueError(f"--known-on: {known_on[:40]!r} is not a date") from None
    return register_known_on(day)


def price_lines(
    lines: Iterable[str], custom_rules: Iterable[CustomRule] = (), register: Register = TODAY
) -> Iterator[str]:
    """Each JSON line with ``revenueCents, rate, reimbursedCents, rule`` added; blank lines are skipped.

    The revenue of an establishment's year is the sum of its lines so far, unless a line gives it. Raises ValueError
    naming the line.
    """
    rules = tuple(custom_rules)
    revenues: dict[tuple[str, int], Cents] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield _price_line(line, rules, register, revenues)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"line {number}: {error}") from None


def read_custom_rules(path: Path) -> tuple[CustomRule, ...]:
    """The rules of a JSON file. Raises ValueError naming the rule, or OSError."""
    found = _json(path.read_text("utf-8"))
    if not isinstance(found, list):
        raise ValueError(f"{path}: a JSON list is needed")
    return tuple(_numbered_rule(number, item) for number, item in enumerate(found, 1))


def _price_line(
    line: str, rules: tuple[CustomRule, ...], register: Register, revenues: dict[tuple[str, int], Cents]
) -> str:
    fields = _json(line)
    if not isinstance(fields, dict):
        raise ValueError("a JSON object is needed")
    establishment = _text(fields, "siret")
    booking = _booking(fields)
    year = (establishment, revenue_year(booking.used_at, register))
    stated = _optional_integer(fields, "revenueCents", 0, MAX_CENTS)
    if stated is None:
        entering = enters_revenue(booking.kind, booking.educational, booking.total, booking.used_at, register)
        revenues[year] = Cents(revenues.get(year, ZERO) + entering)
    else:
        revenues[year] = Cents(stated)
    result = priced(booking, revenues[year], rules, register)
    out = {"revenueCents": result.revenue, "rate": result.rate, "reimbursedCents": result.reimbursed}
    return json.dumps({**fields, **out, "rule": result.rule}, ensure_ascii=False)


def _booking(fields: dict[str, Any]) -> Priceable:
    subcategory = _text(fields, "subcategory")
    if subcategory not in SUBCATEGORIES:
        raise ValueError(f"subcategory: there is no {subcategory[:60]!r}")
    educational = fields.get("educational", False)
    if not isinstance(educational, bool):
        raise ValueError("educational: true or false is needed")
    booking = Priceable(
        subcategory=subcategory,
        unit_price=Cents(_integer(fields, "unitPriceCents", 0, MAX_CENTS)),
        quantity=_integer(fields, "quantity", 1, _MAX_QUANTITY),
        used_at=_instant(_text(fields, "usedAt"), "usedAt"),
        educational=educational,
        offer_id=_optional_integer(fields, "offerId", 1, MAX_NUMBER),
        offerer_id=_optional_integer(fields, "offererId", 1, MAX_NUMBER),
    )
    if booking.total > MAX_CENTS:
        raise ValueError(f"unitPriceCents times quantity is above {MAX_CENTS}")
    return booking


def _numbered_rule(number: int, fields: Any) -> CustomRule:
    try:
        return custom_rule(fields)
    except ValueError as error:
        raise ValueError(f"custom rule {number}: {error}") from None


def custom_rule(fields: Any) -> CustomRule:
    """A rule of a custom rules file: ``offerId`` or ``offererId``, ``amountCents`` or ``rate``, ``start`` and so on."""
    if not isinstance(fields, dict):
        raise ValueError("a JSON object is needed")
    if unknown := set(fields) - _RULE_FIELDS:
        raise ValueError(f"unknown fields: {', '.join(sorted(unknown))}")
    amount = _optional_integer(fields, "amountCents", 0, MAX_CENTS)
    return CustomRule(
        start=_instant(_text(fields, "start"), "start"),
        end=None if fields.get("end") is None else _instant(_text(fields, "end"), "end"),
        offer_id=_optional_integer(fields, "offerId", 1, MAX_NUMBER),
        offerer_id=_optional_integer(fields, "offererId", 1, MAX_NUMBER),
        amount=None if amount is None else Cents(amount),
        rate=None if fields.get("rate") is None else _rate(fields["rate"]),
        subcategories=_subcategories(fields.get("subcategories") or []),
    )


def _rate(value: Any) -> str:
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float) or not Decimal(str(value)).is_finite():
            raise ValueError(f"rate: {value!r} is not a decimal number")
    except InvalidOperation:
        raise ValueError(f"rate: {value!r} is not a decimal number") from None
    return str(value)


def _subcategories(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item in SUBCATEGORIES for item in value):
        raise ValueError("subcategories: a list of known subcategories is needed")
    return tuple(value)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from None


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name}: a text is needed")
    return value


def _integer(fields: dict[str, Any], name: str, at_least: int, at_most: int) -> int:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not at_least <= value <= at_most:
        raise ValueError(f"{name}: a whole number from {at_least} to {at_most} is needed")
    return value


def _optional_integer(fields: dict[str, Any], name: str, at_least: int, at_most: int) -> int | None:
    return None if fields.get(name) is None else _integer(fields, name, at_least, at_most)


def _instant(text: str, name: str) -> datetime:
    """RFC 3339. Without an offset it is UTC, as in accounting exports."""
    try:
        instant = datetime.fromisoformat(text)
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{name}: {text[:40]!r} is not an instant") from None
