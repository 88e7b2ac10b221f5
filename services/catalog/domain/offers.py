"""Offers: their description, their moderation, and whether the public sees them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from typing import Any

from eventsourcing.domain import Aggregate

from services.catalog.domain.moderation import Submission, judge
from services.catalog.domain.venues import VenueFacts
from services.catalog.refusals import OfferInReview, OfferNotInReview, OfferNotPublished, OfferRejected
from shared.contracts.subcategories import SUBCATEGORIES, Subcategory
from shared.kernel.errors import Invalid
from shared.kernel.identifiers import stream_id
from shared.kernel.money import ZERO, Cents


class Moderation(StrEnum):
    DRAFT = "draft"  # no stock yet
    PENDING = "pending"  # in review by staff
    REJECTED = "rejected"
    APPROVED = "approved"


class Withdrawal(StrEnum):
    """Why the public no longer sees an offer."""

    DEACTIVATED = "deactivated"
    REJECTED = "rejected"
    IN_REVIEW = "in-review"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferFacts:
    """The description of an offer. ``published_at`` is the instant at which the public could first see it."""

    offer_id: int
    venue_id: int
    offerer_id: int
    name: str
    subcategory: str
    description: str
    is_duo: bool
    url: str | None
    duration_minutes: int | None
    withdrawal_details: str | None
    booking_email: str | None
    tags: tuple[str, ...]
    published_at: datetime | None = None

    @property
    def is_digital(self) -> bool:
        return self.url is not None

    @property
    def rules(self) -> Subcategory:
        return SUBCATEGORIES[self.subcategory]


class Offer(Aggregate):
    """One offer: a draft until its first stock, then approved, or pending until staff decide.

    ``is_public`` follows the messages: OfferPublished makes it true, OfferWithdrawn false.
    """

    class Event(Aggregate.Event):
        pass

    class Drafted(Event, Aggregate.Created):
        facts: OfferFacts

    class Redrafted(Event):
        """A change that the public does not see."""

        facts: OfferFacts

        def apply(self, aggregate: Offer) -> None:
            aggregate.facts = self.facts

    class HeldForReview(Event):
        offer_id: int
        score: Fraction
        rules: tuple[str, ...]

        def apply(self, aggregate: Offer) -> None:
            aggregate.moderation = Moderation.PENDING

    class Approved(Event):
        offer_id: int

        def apply(self, aggregate: Offer) -> None:
            aggregate.moderation = Moderation.APPROVED

    class Rejected(Event):
        offer_id: int
        reason: str

        def apply(self, aggregate: Offer) -> None:
            aggregate.moderation = Moderation.REJECTED

    class Published(Event):
        facts: OfferFacts

        def apply(self, aggregate: Offer) -> None:
            aggregate.facts = self.facts
            aggregate.is_public = True

    class Changed(Event):
        """A change that the public sees."""

        facts: OfferFacts

        def apply(self, aggregate: Offer) -> None:
            aggregate.facts = self.facts

    class Withdrawn(Event):
        offer_id: int
        reason: Withdrawal

        def apply(self, aggregate: Offer) -> None:
            aggregate.is_public = False

    def __init__(self, *, facts: OfferFacts) -> None:
        self.facts = facts
        self.moderation = Moderation.DRAFT
        self.is_public = False

    @classmethod
    def draft(cls, at: datetime, offer_id: int, venue: VenueFacts, body: dict[str, Any]) -> Offer:
        """A new offer of a venue. ``body``: the fields of :class:`OfferFacts` that the structure decides, all of them.

        Raises Invalid: subcategory unknown or not open to new offers, duo where it cannot be, a url where the
        subcategory has none or none where it needs one, the wrong kind of venue.
        """
        facts = OfferFacts(offer_id=offer_id, venue_id=venue.venue_id, offerer_id=venue.offerer_id, **body)
        _check_subcategory(facts.subcategory)
        _check_place(facts, venue)
        _check_content(facts)
        return cls._create(cls.Drafted, id=stream_id("offer", offer_id), timestamp=at, facts=facts)

    def change(self, at: datetime, changes: dict[str, Any]) -> None:
        """New values of some fields; the moderation rules judge again what the public sees.

        Raises OfferInReview, OfferRejected, Invalid.
        """
        self._check_editable()
        facts = replace(self.facts, **changes)
        if facts.subcategory != self.facts.subcategory:
            raise Invalid.of_field(
                "subcategory", "La sous-catégorie d’une offre ne change jamais : créez une autre offre."
            )
        if facts.is_digital != self.facts.is_digital:
            raise Invalid.of_field(
                "url", "Une offre numérique le reste, et une autre ne peut pas le devenir : créez une autre offre."
            )
        _check_content(facts)
        if facts == self.facts:
            return
        self.trigger_event(self.Changed if self.is_public else self.Redrafted, timestamp=at, facts=facts)
        if self.moderation is Moderation.APPROVED:
            self._hold_if_suspicious(at, ZERO)

    def submit(self, at: datetime, price: Cents) -> None:
        """Publishes a draft, or holds it for review, given the price of its first stock. Later calls do nothing."""
        if self.moderation is Moderation.DRAFT and not self._hold_if_suspicious(at, price):
            self._approve(at)

    def approve(self, at: datetime) -> None:
        """By staff; idempotent. Raises OfferNotInReview."""
        if self.moderation is Moderation.APPROVED:
            return
        if self.moderation is not Moderation.PENDING:
            raise OfferNotInReview
        self._approve(at)

    def reject(self, at: datetime, reason: str) -> None:
        """By staff, for an offer in review or an approved one; booking cancels its bookings. Idempotent."""
        if self.moderation is Moderation.REJECTED:
            return
        if self.moderation is Moderation.DRAFT:
            raise OfferNotInReview
        self.trigger_event(self.Rejected, timestamp=at, offer_id=self.facts.offer_id, reason=reason)
        if self.facts.published_at is not None:
            self._withdraw(at, Withdrawal.REJECTED)

    def activate(self, at: datetime) -> None:
        """Shows the offer to the public again. Raises OfferNotPublished for a draft, OfferInReview, OfferRejected."""
        self._check_approved()
        if not self.is_public:
            self._publish(at)

    def deactivate(self, at: datetime) -> None:
        """Hides the offer from the public; its bookings stay. Raises as ``activate``."""
        self._check_approved()
        if self.is_public:
            self._withdraw(at, Withdrawal.DEACTIVATED)

    def check_takes_stocks(self) -> None:
        """Raises OfferInReview, OfferRejected."""
        self._check_editable()

    def _check_editable(self) -> None:
        if self.moderation is Moderation.PENDING:
            raise OfferInReview
        if self.moderation is Moderation.REJECTED:
            raise OfferRejected

    def _check_approved(self) -> None:
        self._check_editable()
        if self.moderation is Moderation.DRAFT:
            raise OfferNotPublished

    def _hold_if_suspicious(self, at: datetime, price: Cents) -> bool:
        verdict = judge(Submission(self.facts.name, self.facts.description, price), at)
        if verdict.is_approved:
            return False
        details = {"offer_id": self.facts.offer_id, "score": verdict.score, "rules": verdict.rules}
        self.trigger_event(self.HeldForReview, timestamp=at, **details)
        if self.is_public:
            self._withdraw(at, Withdrawal.IN_REVIEW)
        return True

    def _approve(self, at: datetime) -> None:
        self.trigger_event(self.Approved, timestamp=at, offer_id=self.facts.offer_id)
        self._publish(at)

    def _publish(self, at: datetime) -> None:
        facts = replace(self.facts, published_at=self.facts.published_at or at)
        self.trigger_event(self.Published, timestamp=at, facts=facts)

    def _withdraw(self, at: datetime, reason: Withdrawal) -> None:
        self.trigger_event(self.Withdrawn, timestamp=at, offer_id=self.facts.offer_id, reason=reason)


def _check_subcategory(subcategory: str) -> None:
    known = SUBCATEGORIES.get(subcategory)
    if known is None:
        raise Invalid.of_field("subcategory", "Cette sous-catégorie n’existe pas : choisissez-en une de la liste.")
    if not known.is_selectable:
        raise Invalid.of_field(
            "subcategory", "Cette sous-catégorie n’accepte plus de nouvelles offres : choisissez-en une autre."
        )


def _check_place(facts: OfferFacts, venue: VenueFacts) -> None:
    """Offers of online subcategories belong to the digital venue, all others to a place."""
    if facts.rules.is_online_only and not venue.is_digital:
        raise Invalid.of_field("subcategory", "Une offre de cette sous-catégorie se crée dans le lieu numérique.")
    if facts.rules.is_offline_only and venue.is_digital:
        raise Invalid.of_field("subcategory", "Une offre de cette sous-catégorie se crée dans un lieu physique.")
    if venue.is_digital and facts.url is None:
        raise Invalid.of_field("url", "Indiquez l’adresse web de cette offre du lieu numérique.")
    if facts.url is not None and not venue.is_digital:
        raise Invalid.of_field("url", "Seules les offres du lieu numérique ont une adresse web.")


def _check_content(facts: OfferFacts) -> None:
    if facts.is_duo and not facts.rules.can_be_duo:
        raise Invalid.of_field("isDuo", "Une offre de cette sous-catégorie ne peut pas être duo.")
