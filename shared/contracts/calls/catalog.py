"""The catalogue's calls: venues, offers and stocks as their structures describe them, and their review by staff.

A structure sees and changes its own resources only; another one's are not found. Staff see all of them.
``if_match`` is the version that the caller has read.
"""

from __future__ import annotations

from typing import Annotated

from shared.contracts.calls.contract import PLATFORM, PRO, STAFF, AtMost, Command, Data, Query
from shared.contracts.calls.types import Id, Ids, Instant, NextPage, PageSize, Pending, Reason, Version
from shared.contracts.fields import Degrees, Email, OneOf, PostalCode, Price, Text, WebAddress, Whole
from shared.contracts.subcategories import SUBCATEGORIES
from shared.contracts.venue_types import VENUE_TYPES
from shared.kernel.money import Cents

MAX_QUANTITY = 10_000_000
MAX_CODES = 10_000

_VENUE = ("siret-invalid", "siret-taken", "offerer-closed")
_OFFER = ("offer-in-review", "offer-rejected", "offer-not-published", "offerer-closed")
_STOCK = (
    "date-in-the-past",
    "event-passed",
    "stock-withdrawn",
    "price-agreed",
    "quantity-below-booked",
    "offer-in-review",
    "offer-rejected",
    "offerer-closed",
)
_REVIEW = ("offer-not-in-review",)


class Accessibility(Data):
    """For which disabilities a venue is equipped."""

    audio: bool
    mental: bool
    motor: bool
    visual: bool


class VenueFields(Data):
    """The description of a venue by its structure: with a SIRET, or a comment that explains why it has none."""

    name: Annotated[str, Text(1, 140)]
    siret: (
        Annotated[str, Text(1, 25, metadata={"description": "14 digits; it never changes once the venue is open."})]
        | None
    ) = None
    comment: Annotated[str, Text(1, 1_000, lines=True)] | None = None
    address: Annotated[str, Text(1, 200)]
    postal_code: Annotated[str, PostalCode()]
    city: Annotated[str, Text(1, 100)]
    lat: Annotated[float, Degrees(90)] | None = None
    lon: Annotated[float, Degrees(180)] | None = None
    booking_email: Annotated[str, Email()] | None = None
    venue_type: Annotated[str, OneOf(VENUE_TYPES)]
    accessibility: Accessibility


class OpenVenue(VenueFields, Command, by=PRO, refuses=_VENUE):
    """Opens a venue, with its SIRET or with a comment that explains why it has none."""

    offerer_id: Id


class ChangeVenue(Command, by=PRO, changes=VenueFields, refuses=_VENUE):
    """Changes the given fields of a venue."""

    venue_id: Id
    if_match: Version | None = None


class Venue(Query, by=PRO | STAFF):
    """One venue of a structure of the caller's."""

    venue_id: Id


class Venues(Query, by=PRO | STAFF):
    """The venues of structures that the caller may act for: ``{items}``."""

    offerer_ids: Ids


class OfferFields(Data):
    """The description of an offer by its structure."""

    name: Annotated[str, Text(1, 90)]
    subcategory: Annotated[str, OneOf(SUBCATEGORIES)]
    description: Annotated[str, Text(0, 10_000, lines=True)] = ""
    is_duo: bool = False
    url: Annotated[str, WebAddress()] | None = None
    duration_minutes: Annotated[int, Whole(1, 100_000)] | None = None
    withdrawal_details: Annotated[str, Text(0, 1_000, lines=True)] | None = None
    booking_email: Annotated[str, Email()] | None = None
    tags: Annotated[tuple[Annotated[str, Text(1, 50)], ...], AtMost(20)] = ()


class CreateOffer(OfferFields, Command, by=PRO, refuses=_OFFER):
    """Creates an offer: a draft until its first stock."""

    venue_id: Id


class ChangeOffer(Command, by=PRO, changes=OfferFields, refuses=_OFFER):
    """Changes the given fields of an offer."""

    offer_id: Id
    if_match: Version | None = None


class ActivateOffer(Command, by=PRO, refuses=_OFFER):
    """Shows the offer again."""

    offer_id: Id
    if_match: Version | None = None


class DeactivateOffer(Command, by=PRO, refuses=_OFFER):
    """Removes the offer from the catalogue; existing bookings stay valid."""

    offer_id: Id
    if_match: Version | None = None


class ApproveOffer(Command, by=STAFF, refuses=_REVIEW):
    """Approves an offer that awaited moderation."""

    offer_id: Id


class RejectOffer(Command, by=STAFF, refuses=_REVIEW):
    """Rejects an offer; its unused bookings are cancelled."""

    offer_id: Id
    reason: Reason = ""


class Offer(Query, by=PRO | STAFF | PLATFORM):
    """An offer of a structure of the caller's, as its actor sees it."""

    offer_id: Id


class Offers(Query, by=PRO | STAFF):
    """The offers of a venue, whatever their status, newest first."""

    venue_id: Id
    cursor: NextPage | None = None
    limit: PageSize = 50


class PendingOffers(Pending, Query, by=STAFF):
    """Offers that await moderation, oldest first."""

    limit: PageSize = 50


class Counters(Query, by=PRO | STAFF):
    """Active offers of venues: ``{"<venueId>": {activeOffers}}``."""

    venue_ids: Ids


class StockFields(Data):
    """The description of a stock by its structure."""

    price: Annotated[Cents, Price(data_key="priceCents")]
    quantity: Annotated[int, Whole(0, MAX_QUANTITY, metadata={"description": "null: no limit."})] | None
    beginning_at: Instant | None = None
    booking_limit_at: Instant | None = None


class AddStock(StockFields, Command, by=PRO, refuses=_STOCK):
    """Adds a stock; it can be booked at once."""

    offer_id: Id
    activation_codes: Annotated[tuple[Annotated[str, Text(1, 100)], ...], AtMost(MAX_CODES, minimum=1)] = ()


class ChangeStock(Command, by=PRO, changes=StockFields, refuses=_STOCK):
    """Changes price, quantity or dates; existing bookings keep their price."""

    stock_id: Id
    if_match: Version | None = None


class WithdrawStock(Command, by=PRO, refuses=("withdrawal-too-late",)):
    """Withdraws a stock; its unused bookings are cancelled."""

    stock_id: Id
    if_match: Version | None = None


class Stock(Query, by=PRO | STAFF):
    """A stock of a structure of the caller's."""

    stock_id: Id
