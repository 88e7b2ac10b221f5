"""The texts of the mails and pushes, in French: pure functions of an event, the row of a booking with its place, and a
person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from services.booking.answers import completed_url
from services.booking.domain.booking import Booking
from services.booking.domain.desk import local_text
from services.booking.domain.states import Reason
from shared.contracts.identity import UNNAMED
from shared.kernel.french import NO_BREAK
from shared.kernel.money import euros
from shared.kernel.time import PARIS

Words = tuple[str, str]
"""Subject and text."""

_WHY = {
    Reason.BENEFICIARY: "à votre demande",
    Reason.OFFERER: "par l’organisateur",
    Reason.EXPIRED: "parce que vous ne l’avez pas retirée à temps",
    Reason.BACKOFFICE: "par le support du pass Culture",
}
_WHY_FOR_VENUE = {
    Reason.BENEFICIARY: "par le jeune",
    Reason.EXPIRED: "parce qu’elle n’a pas été retirée à temps",
    Reason.FRAUD: "par le pass Culture, pour suspicion de fraude",
    Reason.BACKOFFICE: "par le support du pass Culture",
}


def to_person(event: Any, row: Any, person: dict[str, Any]) -> Words:
    if isinstance(event, Booking.Cancelled):
        return _cancelled(event, row)
    if isinstance(event, Booking.Moved):
        return _moved(event, row)
    if isinstance(event, Booking.ExpiryApproached):
        return _soon_expired(event, row)
    return _confirmed(row, person)


def to_venue(event: Any, row: Any, person: dict[str, Any]) -> Words:
    if isinstance(event, Booking.Cancelled):
        return _cancelled_for_venue(event, row, person)
    return _confirmed_for_venue(row, person)


def recap(rows: Sequence[Any], people: Mapping[int, dict[str, Any]]) -> Words:
    """To the venue, about the bookings that the withdrawal of their stock cancelled; ``rows`` are the first of them."""
    first = rows[0]
    places = "une place" if first.places == 1 else f"{first.places} places"
    lines = [
        "Bonjour,",
        "",
        _fact("Vous avez retiré un stock de votre offre", f"{first.offer_name}."),
        *_where_and_when(first),
        _fact("Réservations annulées", f"{first.together}, pour {places}"),
        *(_who_on_one_line(row, people.get(row.person_id) or UNNAMED) for row in rows),
    ]
    if first.together > len(rows):
        lines.append(f"et {first.together - len(rows)} autres, dans le suivi de vos réservations")
    return _fact("Réservations annulées", first.offer_name), _text([*lines, "", "Les jeunes en sont informés."])


def eve(row: Any) -> Words:
    """The title and the text of a push on the day before an event."""
    place = f", {row.venue_name}" if row.venue_name else ""
    return _fact("C’est bientôt", row.offer_name), f"Le {_local(row.beginning_at, row)}{place}."


def _confirmed(row: Any, person: dict[str, Any]) -> Words:
    lines = [
        "Bonjour,",
        "",
        _fact("Votre réservation est confirmée", f"{row.offer_name}."),
        *_what(row),
        _fact("Votre code d’activation", row.activation_code)
        if row.activation_code
        else _fact("Votre contremarque", row.countermark),
    ]
    if url := completed_url(row.url, row):
        lines.append(_fact("Pour y accéder", url.replace("{email}", quote(person["email"], safe="@"))))
    if row.cancellation_limit_at is not None:
        lines.append(f"Vous pouvez l’annuler jusqu’au {_local(row.cancellation_limit_at, row)}.")
    if row.expires_at is not None:
        lines.append(f"Elle expire le {_local(row.expires_at, row)} si vous ne la retirez pas avant.")
    if row.withdrawal_details:
        lines += ["", _fact("Pour la retirer", row.withdrawal_details)]
    return _fact("Confirmation de votre réservation", row.offer_name), _text(lines)


def _cancelled(event: Booking.Cancelled, row: Any) -> Words:
    why = _WHY.get(Reason(event.reason), "")
    lines = ["Bonjour,", "", _fact(f"Votre réservation a été annulée {why}", f"{row.offer_name}."), *_what(row)]
    if event.terms.total:
        lines.append(f"Nous rendons {_price(event.terms.total)} à votre crédit, s’il est encore valable.")
    return _fact("Annulation de votre réservation", row.offer_name), _text(lines)


def _moved(event: Booking.Moved, row: Any) -> Words:
    lines = ["Bonjour,", "", _fact("Un évènement que vous avez réservé a changé de date", f"{row.offer_name}.")]
    if event.terms.beginning_at is not None:
        lines.append(f"Il aura lieu le {_local(event.terms.beginning_at, row)}.")
    if event.cancellation_limit_at is not None:
        lines.append(f"Vous pouvez annuler votre réservation jusqu’au {_local(event.cancellation_limit_at, row)}.")
    return _fact("Nouvelle date", row.offer_name), _text(lines)


def _soon_expired(event: Booking.ExpiryApproached, row: Any) -> Words:
    lines = [
        "Bonjour,",
        "",
        _fact("Vous n’avez pas encore retiré votre réservation", f"{row.offer_name}."),
        *_what(row),
        _fact("Votre contremarque", row.countermark),
        f"Retirez-la avant le {_local(event.expires_at, row)}, sinon elle sera annulée.",
    ]
    if row.withdrawal_details:
        lines += ["", _fact("Pour la retirer", row.withdrawal_details)]
    return _fact("Votre réservation expire bientôt", row.offer_name), _text(lines)


def _confirmed_for_venue(row: Any, person: dict[str, Any]) -> Words:
    dated = row.beginning_at is not None
    lines = [
        "Bonjour,",
        "",
        _fact("Une réservation a été faite", f"{row.offer_name}."),
        *_what(row),
        _fact("Contremarque", row.countermark),
        *_who(person),
        "",
        "Elle sera validée automatiquement 48 heures après l’évènement."
        if dated
        else "Validez la contremarque au guichet pour que la réservation soit remboursée.",
    ]
    return _fact("Nouvelle réservation", row.offer_name), _text(lines)


def _cancelled_for_venue(event: Booking.Cancelled, row: Any, person: dict[str, Any]) -> Words:
    why = _WHY_FOR_VENUE.get(Reason(event.reason), "")
    left = event.stock_remaining
    lines = [
        "Bonjour,",
        "",
        _fact(f"Une réservation a été annulée {why}", f"{row.offer_name}."),
        *_what(row),
        _fact("Contremarque", row.countermark),
        *_who(person),
    ]
    if left is not None:
        lines.append(_fact("Places restantes", left))
    return _fact("Réservation annulée", row.offer_name), _text(lines)


def _what(row: Any) -> list[str]:
    total = row.unit_price * row.quantity
    return [
        *_where_and_when(row),
        _fact("Quantité", row.quantity),
        _fact("Prix", _price(total) if total else "gratuit"),
    ]


def _where_and_when(row: Any) -> list[str]:
    town = " ".join(part for part in (row.postal_code, row.city) if part)
    place = ", ".join(part for part in (row.venue_name, row.address, town) if part)
    lines = [_fact("Lieu", place)] if place else []
    if row.beginning_at is not None:
        lines.append(_fact("Date", _local(row.beginning_at, row)))
    return lines


def _who(person: dict[str, Any]) -> list[str]:
    facts = (("Jeune", _name(person)), ("E-mail", person["email"]), ("Téléphone", person.get("phoneNumber")))
    return [_fact(label, value) for label, value in facts if value]


def _who_on_one_line(row: Any, person: dict[str, Any]) -> str:
    facts = (_name(person), person["email"], person.get("phoneNumber"), f"contremarque {row.countermark}")
    return f"- {', '.join(fact for fact in facts if fact)}"


def _name(person: dict[str, Any]) -> str:
    return f"{person['firstName']} {person['lastName']}".strip()


def _local(instant: datetime, row: Any) -> str:
    return local_text(instant, row.timezone or PARIS.key)


def _price(cents: Any) -> str:
    return f"{euros(cents, point=',')}{NO_BREAK}€"


def _fact(label: str, value: object) -> str:
    return f"{label}{NO_BREAK}: {value}"


def _text(lines: list[str]) -> str:
    return "\n".join([*lines, "", "L’équipe du pass Culture", ""])
