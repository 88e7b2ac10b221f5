"""The nameko service class of booking."""

from services.booking.bootstrap import build
from shared.hosting import HostedService, messages_from


class BookingService(HostedService):
    """Bookings and countermarks, and how many of a stock are left."""

    name = "booking"
    build = staticmethod(build)
    react = messages_from("catalog", "identity", "payout")
