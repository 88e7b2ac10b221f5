"""Cultural actors: structures, venues, offers, stocks, bank details, reimbursements, API keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

from flask import Response

from services.gateway.ports import current_ports
from services.gateway.web.endpoints.audience import Audience
from services.gateway.web.endpoints.calls import ask, send
from services.gateway.web.endpoints.documentation import View
from services.gateway.web.responses.bookings_files import bookings_csv, bookings_xlsx
from services.gateway.web.responses.cursors import page_of
from services.gateway.web.responses.flask_responses import file_response
from services.gateway.web.schemas import pro as schemas
from shared.contracts.calls import booking, catalog, identity, payout
from shared.contracts.calls.contract import PRO
from shared.kernel.errors import Invalid, NotFound

audience = Audience("Cultural actors", "Structures, venues, offers, stocks, bank details, reimbursements.")

EARLIEST, LATEST = date(2019, 2, 1), date(2199, 12, 31)
"""Every booking lies between: the first credits were granted in February 2019."""

FORM_AROUND_A_FILE = 16 * 1024
"""Bytes of a form beside its file."""

FILE_SECONDS = 60.0

MAX_FILE_ROWS = 100_000

RECAP_FILTERS = ("period_from", "period_to", "venue_ids", "offer_name", "event_date")

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
NO_COUNTERS = {"activeOffers": 0, "ongoingBookings": 0, "validatedBookings": 0, "soldOutOffers": 0}


@audience.endpoint("GET", "/v1/pro/offerers", access=PRO, answers=(200, schemas.Offerers))
def my_offerers() -> Any:
    """The structures the caller is attached to, with their venues and the counters of the home page."""
    return {"items": _offerers(), "nextCursor": None}


@audience.endpoint("GET", "/v1/pro/offerers/<number:offerer_id>", access=PRO, answers=(200, schemas.Offerer))
def my_offerer(offerer_id: int) -> Any:
    """One structure the caller is attached to."""
    for offerer in _offerers():
        if offerer["offererId"] == offerer_id:
            return offerer
    raise NotFound("Vous n’êtes pas rattaché à cette structure.")


def _offerers() -> list[dict[str, Any]]:
    """An account whose attachment awaits approval sees the structure, without its venues."""
    offerers = ask(identity.Offerers())["items"]
    open_to_caller = [one["offererId"] for one in offerers if one["attachment"] == "approved"]
    venues = _venues(open_to_caller)
    counters = _counters([venue["venueId"] for venue in venues])
    return [
        {
            **offerer,
            "venues": [
                {**venue, "counters": counters[venue["venueId"]]}
                for venue in venues
                if venue["offererId"] == offerer["offererId"]
            ],
        }
        for offerer in offerers
    ]


def _venues(offerer_ids: list[int]) -> list[dict[str, Any]]:
    if not offerer_ids:
        return []
    found: list[dict[str, Any]] = ask(catalog.Venues(offerer_ids=tuple(offerer_ids)))["items"]
    return found


def _counters(venue_ids: list[int]) -> dict[int, dict[str, int]]:
    if not venue_ids:
        return {}
    offers = ask(catalog.Counters(venue_ids=tuple(venue_ids)))
    bookings = ask(booking.Counters(venue_ids=tuple(venue_ids)))
    return {
        venue_id: {**NO_COUNTERS, **offers.get(str(venue_id), {}), **bookings.get(str(venue_id), {})}
        for venue_id in venue_ids
    }


OFFERER, VENUE = "/v1/pro/offerers/<number:offerer_id>", "/v1/pro/venues/<number:venue_id>"
OFFER, STOCK = "/v1/pro/offers/<number:offer_id>", "/v1/pro/stocks/<number:stock_id>"
DOCUMENTS = "/v1/pro/bank-details/<number:bank_details_id>/documents"

audience.forwards("POST", f"{OFFERER}/venues", catalog.OpenVenue, answers=(201, schemas.Venue))
audience.forwards("GET", VENUE, catalog.Venue, access=PRO, answers=(200, schemas.Venue))
audience.forwards("PATCH", VENUE, catalog.ChangeVenue, answers=(200, schemas.Venue))

audience.forwards("POST", f"{VENUE}/offers", catalog.CreateOffer, answers=(201, schemas.Offer))
audience.forwards("GET", f"{VENUE}/offers", catalog.Offers, access=PRO, answers=(200, schemas.Offers))
audience.forwards("GET", OFFER, catalog.Offer, access=PRO, answers=(200, schemas.Offer))
audience.forwards("PATCH", OFFER, catalog.ChangeOffer, answers=(200, schemas.Offer))
audience.forwards("POST", f"{OFFER}/activate", catalog.ActivateOffer, answers=(200, schemas.Offer))
audience.forwards("POST", f"{OFFER}/deactivate", catalog.DeactivateOffer, answers=(200, schemas.Offer))

audience.forwards("POST", f"{OFFER}/stocks", catalog.AddStock, answers=(201, schemas.Stock))
audience.forwards("GET", STOCK, catalog.Stock, access=PRO, answers=(200, schemas.Stock))
audience.forwards("PATCH", STOCK, catalog.ChangeStock, answers=(200, schemas.Stock))
audience.forwards("DELETE", STOCK, catalog.WithdrawStock, answers=(200, schemas.Stock))


def bank_details_of(owner: str) -> Callable[[View], View]:
    """Registers a view that submits bank details of the structure or venue at a path."""
    refuses = payout.SubmitBankDetails.REFUSES
    answers, rule = (201, schemas.BankDetails), f"{owner}/bank-details"
    return audience.endpoint("POST", rule, body=payout.NewBankDetails, access=PRO, answers=answers, refuses=refuses)


@bank_details_of(OFFERER)
def submit_offerer_bank_details(body: payout.NewBankDetails, offerer_id: int) -> Any:
    """Submits bank details of the structure. Once accepted by staff, they apply to every venue without its own."""
    return send(payout.SubmitBankDetails(offerer_id=offerer_id, **body.values(payout.NewBankDetails)))


@bank_details_of(VENUE)
def submit_venue_bank_details(body: payout.NewBankDetails, venue_id: int) -> Any:
    """Submits bank details of one venue."""
    return send(payout.SubmitBankDetails(venue_id=venue_id, **body.values(payout.NewBankDetails)))


@audience.endpoint(
    "POST",
    DOCUMENTS,
    access=PRO,
    body=schemas.NewDocument,
    upload=payout.MAX_DOCUMENT_BYTES + FORM_AROUND_A_FILE,
    answers=(201, schemas.Document),
    refuses=payout.AddDocument.REFUSES,
)
def add_document(body: schemas.NewDocument, bank_details_id: int) -> Any:
    """Adds a document that proves bank details: the account statement, or the identity of the structure."""
    document = payout.AddDocument(bank_details_id=bank_details_id, kind=body.kind, content=body.file)
    return send(document, seconds=FILE_SECONDS)


audience.forwards(
    "GET",
    DOCUMENTS,
    payout.Documents,
    access=PRO,
    operation="my_documents",
    summary="The documents that were added to bank details of the caller's structure.",
    answers=(200, schemas.Documents),
)
audience.forwards(
    "GET",
    "/v1/pro/reimbursements",
    payout.Reimbursements,
    operation="my_reimbursements",
    answers=(200, schemas.Reimbursements),
)


@audience.endpoint("GET", "/v1/pro/reimbursements.csv", query=payout.ReimbursementsCsv, media_type="text/csv")
def my_reimbursements_file(query: payout.ReimbursementsCsv) -> Any:
    """The reimbursements as a file of 16 columns (14 in the older form), separated by `;`.

    UTF-8 with a byte order mark. Lines that wait for their first batch are in the list only.
    """
    answer = ask(query.with_(columns=query.columns), seconds=FILE_SECONDS)
    return csv_file(answer["text"], "remboursements_pass_culture.csv")


@audience.endpoint("GET", "/v1/pro/bookings", access=PRO, query=schemas.RecapQuery, answers=(200, schemas.Recap))
def my_venues_bookings(query: schemas.RecapQuery) -> Any:
    """The bookings at the caller's venues, newest first, one row per place."""
    return page_of(_recap(query), RECAP_FILTERS, ask)


@audience.endpoint("GET", "/v1/pro/bookings.csv", access=PRO, query=schemas.RecapFileQuery, media_type="text/csv")
def my_venues_bookings_file(query: schemas.RecapFileQuery) -> Any:
    """The same as a file of 13 columns. More than 100 000 rows are refused."""
    return csv_file(bookings_csv(_each_row(_recap(query))), "reservations_pass_culture.csv")


@audience.endpoint("GET", "/v1/pro/bookings.xlsx", access=PRO, query=schemas.RecapFileQuery, media_type=XLSX)
def my_venues_bookings_sheet(query: schemas.RecapFileQuery) -> Any:
    """The same rows as a spreadsheet, with text cells for texts and number cells for prices."""
    content = bookings_xlsx(_each_row(_recap(query)), current_ports().clock.now())
    return file_response(content, XLSX, "reservations_pass_culture.xlsx")


@audience.endpoint("GET", "/v1/pro/stocks/<number:stock_id>/attendees", access=PRO, answers=(200, schemas.Recap))
def attendees(stock_id: int) -> Any:
    """The people who are expected at an event: the list for the door."""
    rows = _attendees(stock_id)
    return {"items": rows, "total": len(rows), "nextCursor": None}


@audience.endpoint("GET", "/v1/pro/stocks/<number:stock_id>/attendees.csv", access=PRO, media_type="text/csv")
def attendees_file(stock_id: int) -> Any:
    """The same as a file."""
    return csv_file(bookings_csv(_attendees(stock_id)), f"liste_{stock_id}.csv")


def _attendees(stock_id: int) -> list[dict[str, Any]]:
    """Raises NotFound for another structure's stock. Of every booking date: people book long before the event."""
    ask(catalog.Stock(stock_id=stock_id))
    rows = _each_row(booking.Recap(stock_id=stock_id, period_from=EARLIEST, period_to=LATEST))
    return [row for row in rows if row["status"] != "cancelled"]


def _recap(query: schemas.RecapFileQuery) -> booking.Recap:
    """One venue as the list that booking takes."""
    recap = booking.Recap(**query.given("period_from", "period_to", "offer_name", "event_date", "cursor", "limit"))
    return recap if query.venue_id is None else recap.with_(venue_ids=(query.venue_id,))


def _each_row(query: booking.Recap) -> Iterator[dict[str, Any]]:
    """All rows, read page by page. Raises Invalid for more than MAX_FILE_ROWS: a file is complete or refused."""
    count = 0
    while True:
        page = ask(query, seconds=60.0)
        count += len(page["items"])
        if count > MAX_FILE_ROWS:
            raise Invalid(
                errors={"periodFrom": [f"Plus de {MAX_FILE_ROWS} lignes : choisissez une période plus courte."]}
            )
        yield from page["items"]
        if page["nextCursor"] is None:
            return
        query = booking.Recap(cursor=page["nextCursor"])


def csv_file(text: str, name: str) -> Response:
    """With one byte order mark, by which spreadsheets recognise UTF-8."""
    return file_response("\ufeff" + text.removeprefix("\ufeff"), "text/csv", name)


# keyed=False: the outcome holds the secret, so it must not be stored
audience.forwards("POST", f"{OFFERER}/api-keys", identity.CreateApiKey, keyed=False, answers=(201, schemas.NewApiKey))
audience.forwards("DELETE", f"{OFFERER}/api-keys/<word:prefix>", identity.DeleteApiKey, answers=(204, None))


@audience.endpoint("GET", f"{OFFERER}/api-keys", query=identity.ApiKeys, answers=(200, schemas.ApiKeys))
def api_keys(query: identity.ApiKeys) -> Any:
    """The structure's API keys, by prefix."""
    return {"nextCursor": None, **ask(query)}
