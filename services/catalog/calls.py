"""Which use case handles which call of the catalogue."""

from __future__ import annotations

from services.catalog.application import offers, reviews, stocks, venues
from services.catalog.application.reading import Reading
from services.catalog.application.stock_changes import StockChanges
from shared.contracts.calls import catalog as calls
from shared.messaging.calls import CommandHandler, QueryHandler, one, read, saga


def commands(stock_changes: StockChanges) -> list[CommandHandler]:
    return [
        one(calls.OpenVenue, venues.open_venue),
        one(calls.ChangeVenue, venues.change_venue),
        one(calls.CreateOffer, offers.create_offer),
        one(calls.ChangeOffer, offers.change_offer),
        one(calls.ActivateOffer, offers.activate_offer),
        one(calls.DeactivateOffer, offers.deactivate_offer),
        one(calls.ApproveOffer, reviews.approve_offer),
        one(calls.RejectOffer, reviews.reject_offer),
        one(calls.AddStock, stocks.add_stock),
        saga(calls.ChangeStock, stock_changes.change),
        one(calls.WithdrawStock, stocks.withdraw_stock),
    ]


def queries(reading: Reading) -> list[QueryHandler]:
    return [
        read(calls.Venue, reading.venue),
        read(calls.Venues, reading.venues),
        read(calls.Offer, reading.offer),
        read(calls.Offers, reading.offers),
        read(calls.Stock, reading.stock),
        read(calls.PendingOffers, reading.pending_offers),
        read(calls.Counters, reading.counters),
    ]
