"""The nameko service class of wallet."""

from services.wallet.bootstrap import build
from shared.hosting import HostedService, messages_from


class WalletService(HostedService):
    """Young people's credits: granted, reserved, spent, released, lapsed."""

    name = "wallet"
    build = staticmethod(build)
    react = messages_from("identity", "booking")
