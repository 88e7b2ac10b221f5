"""The nameko service class of gateway."""

from services.gateway.bootstrap import build
from services.gateway.web.hosting import ServesHttp
from shared.hosting import HostedService, messages_from


class GatewayService(HostedService):
    """The platform's HTTP surface and the public read model of the catalogue."""

    name = "gateway"
    build = staticmethod(build)
    http = ServesHttp()
    react = messages_from("catalog", "booking", "identity")
