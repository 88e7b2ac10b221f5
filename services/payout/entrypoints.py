"""The nameko service class of payout."""

from services.payout.bootstrap import build
from shared.hosting import HostedService, messages_from


class PayoutService(HostedService):
    """Prices of validated bookings, batches, transfers, and the proof that everything adds up."""

    name = "payout"
    build = staticmethod(build)
    react = messages_from("booking", "catalog", "identity")
