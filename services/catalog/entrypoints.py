"""The nameko service class of catalog."""

from services.catalog.bootstrap import build
from shared.hosting import HostedService, messages_from


class CatalogService(HostedService):
    """Venues, offers, stocks as described, and the passing of event dates."""

    name = "catalog"
    build = staticmethod(build)
    react = messages_from("identity", "booking")
