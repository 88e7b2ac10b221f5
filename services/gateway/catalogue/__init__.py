"""The public read model of the catalogue: what anyone may browse, in the gateway's own store.

``reactions()`` keeps it up with catalog, booking and identity; ``search`` and ``offer`` read it; ``metadata`` holds its
tables, which the gateway's migration ``0002_catalogue`` makes. Rules of the catalogue live in catalog, places left in
booking: here is only what they said, arranged so that it is found fast and sent as it lies.
"""

from services.gateway.catalogue.cursors import CursorInvalid
from services.gateway.catalogue.reactions import followed, reactions
from services.gateway.catalogue.search import offer, offer_json, search
from services.gateway.catalogue.tables import metadata
from services.gateway.catalogue.writing import count_outdated, render_again

__all__ = [
    "CursorInvalid",
    "count_outdated",
    "followed",
    "metadata",
    "offer",
    "offer_json",
    "reactions",
    "render_again",
    "search",
]
