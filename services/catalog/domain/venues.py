"""Venues: with a SIRET, with a comment that says why there is none, or digital."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from eventsourcing.domain import Aggregate

from services.catalog.domain.territory import department_code, is_postal_code, timezone
from services.catalog.refusals import SiretInvalid
from shared.contracts.venue_types import VenueType
from shared.kernel.errors import Invalid
from shared.kernel.identifiers import siren as checked_siren
from shared.kernel.identifiers import siret as checked_siret
from shared.kernel.identifiers import stream_id

DIGITAL_NAME = "Offre numérique"
"""The name of every structure's digital venue (domain.md §2.1)."""


class VenueKind(StrEnum):
    SIRET = "siret"
    COMMENT = "comment"
    DIGITAL = "digital"


@dataclass(frozen=True, slots=True)
class Accessibility:
    """For which disabilities the venue is equipped."""

    audio: bool
    mental: bool
    motor: bool
    visual: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueFacts:
    """The description of a venue. ``establishment`` is the unit of payment: the SIRET, or ``venue-<venueId>``."""

    venue_id: int
    offerer_id: int
    kind: VenueKind
    establishment: str
    name: str
    siret: str | None = None
    comment: str | None = None
    address: str | None = None
    postal_code: str | None = None
    city: str | None = None
    lat: float | None = None
    lon: float | None = None
    booking_email: str | None = None
    venue_type: VenueType
    accessibility: Accessibility | None = None
    department_code: str | None
    timezone: str

    @property
    def is_digital(self) -> bool:
        return self.kind is VenueKind.DIGITAL


class Venue(Aggregate):
    """One venue. Its SIRET, its structure and so its establishment never change."""

    class Event(Aggregate.Event):
        facts: VenueFacts

    class Opened(Event, Aggregate.Created):
        pass

    class Changed(Event):
        def apply(self, aggregate: Venue) -> None:
            aggregate.facts = self.facts

    def __init__(self, *, facts: VenueFacts) -> None:
        self.facts = facts

    @classmethod
    def open(cls, at: datetime, venue_id: int, offerer_id: int, offerer_siren: str, body: dict[str, Any]) -> Venue:
        """A physical venue. ``body``: the fields of :class:`VenueFacts` that the structure decides, all of them.

        Raises SiretInvalid (check digit, or not of the structure), Invalid.
        """
        siret = _siret_of(offerer_siren, body["siret"])
        _check_place(siret, body)
        department = department_code(body["postal_code"])
        facts = VenueFacts(
            venue_id=venue_id,
            offerer_id=offerer_id,
            kind=VenueKind.SIRET if siret else VenueKind.COMMENT,
            establishment=siret or f"venue-{venue_id}",
            department_code=department,
            timezone=timezone(department),
            **{**body, "siret": siret, "lat": _rounded(body["lat"]), "lon": _rounded(body["lon"])},
        )
        return cls._create(cls.Opened, id=stream_id("venue", venue_id), timestamp=at, facts=facts)

    @classmethod
    def open_digital(cls, at: datetime, venue_id: int, offerer_id: int, postal_code: str | None) -> Venue:
        """The one digital venue of a structure, in the time zone of the structure's seat."""
        department = department_code(postal_code) if postal_code and is_postal_code(postal_code) else None
        facts = VenueFacts(
            venue_id=venue_id,
            offerer_id=offerer_id,
            kind=VenueKind.DIGITAL,
            establishment=f"venue-{venue_id}",
            name=DIGITAL_NAME,
            venue_type=VenueType.DIGITAL,
            department_code=department,
            timezone=timezone(department or ""),
        )
        return cls._create(cls.Opened, id=stream_id("venue", venue_id), timestamp=at, facts=facts)

    def change(self, at: datetime, changes: dict[str, Any]) -> None:
        """New values of some fields; unchanged values record nothing. Raises Invalid."""
        self._check_changeable(changes)
        facts = replace(self.facts, **changes)
        if not facts.is_digital:
            _check_place(facts.siret, {name: getattr(facts, name) for name in _PLACE})
            department = department_code(facts.postal_code or "")
            facts = replace(
                facts,
                department_code=department,
                timezone=timezone(department),
                lat=_rounded(facts.lat),
                lon=_rounded(facts.lon),
            )
        if facts != self.facts:
            self.trigger_event(self.Changed, timestamp=at, facts=facts)

    def _check_changeable(self, changes: dict[str, Any]) -> None:
        if changes.get("siret", self.facts.siret) != self.facts.siret:
            raise Invalid.of_field("siret", "Le SIRET d’un lieu ne change jamais : créez un autre lieu.")
        changes.pop("siret", None)
        if not self.facts.is_digital:
            return
        for name in changes.keys() - {"booking_email"}:
            if changes[name] != getattr(self.facts, name):
                raise Invalid.of_field(
                    _CAMEL.get(name, name), "Vous ne pouvez changer que l’adresse e-mail du lieu numérique."
                )


_PLACE = ("comment", "address", "postal_code", "city", "lat", "lon", "accessibility")
_CAMEL = {"postal_code": "postalCode", "venue_type": "venueType"}


def _siret_of(offerer_siren: str, text: str | None) -> str | None:
    """The checked SIRET of an establishment of the structure."""
    if text is None:
        return None
    try:
        siret = checked_siret(text)
    except ValueError:
        raise SiretInvalid.of_field("siret", "Ce n’est pas un SIRET : vérifiez ses quatorze chiffres.") from None
    if siret[:9] != checked_siren(offerer_siren):
        raise SiretInvalid.of_field("siret", f"Ce SIRET n’appartient pas au SIREN {offerer_siren} de votre structure.")
    return siret


def _check_place(siret: str | None, body: dict[str, Any]) -> None:
    """domain.md §2.2: a SIRET, or a comment with the full address; never both, never neither."""
    errors: dict[str, list[str]] = {}
    if siret and body["comment"]:
        errors["comment"] = ["Retirez ce commentaire : seul un lieu sans SIRET en a un."]
    if not siret and not body["comment"]:
        errors["siret"] = ["Indiquez le SIRET du lieu, ou un commentaire qui explique pourquoi il n’en a pas."]
    if not siret and not body["address"]:
        errors["address"] = ["Indiquez l’adresse complète d’un lieu sans SIRET."]
    if not body["city"]:
        errors["city"] = ["Indiquez la commune du lieu."]
    if not body["postal_code"] or not is_postal_code(body["postal_code"]):
        errors["postalCode"] = ["Indiquez un code postal français de cinq chiffres."]
    if (body["lat"] is None) != (body["lon"] is None):
        errors["lat"] = ["Indiquez la latitude et la longitude ensemble."]
    if body["accessibility"] is None:
        errors["accessibility"] = ["Indiquez l’accessibilité du lieu pour chaque handicap."]
    if errors:
        raise Invalid("La description du lieu n’est pas complète : corrigez les champs indiqués.", errors=errors)


def _rounded(degrees: float | None) -> float | None:
    """Five decimals, about a metre, as in the real system."""
    return None if degrees is None else round(degrees, 5)
