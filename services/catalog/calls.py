"""Which use case handles which call of the catalogue."""

from __future__ import annotations

from services.catalog.application import offers, stocks, venues
from shared.contracts.calls import catalog as calls
from shared.messaging.calls import CommandHandler, QueryHandler, one, read, saga


def commands(changes: stocks.StockChanges) -> list[CommandHandler]:
    return [
        one(calls.OpenVenue, venues.open_venue),
        one(calls.ChangeVenue, venues.change_venue),
        one(calls.CreateOffer, offers.create_offer),
        one(calls.ChangeOffer, offers.change_offer),
        one(calls.ActivateOffer, offers.activate_offer),
        one(calls.DeactivateOffer, offers.deactivate_offer),
        one(calls.ApproveOffer, offers.approve_offer),
        one(calls.RejectOffer, offers.reject_offer),
        one(calls.AddStock, stocks.add_stock),
        saga(calls.ChangeStock, changes.change),
        one(calls.WithdrawStock, stocks.withdraw_stock),
    ]


def queries(offer_queries: offers.OfferQueries) -> list[QueryHandler]:
    return [
        read(calls.Venue, venues.venue),
        read(calls.Venues, venues.venues),
        read(calls.Offer, offer_queries.offer),
        read(calls.Offers, offer_queries.offers),
        read(calls.Stock, offer_queries.stock),
        read(calls.PendingOffers, offer_queries.pending_offers),
        read(calls.Counters, offer_queries.counters),
    ]
