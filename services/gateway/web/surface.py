"""Hosts the HTTP surface inside nameko: a WSGI server in green threads of the gateway's container."""

from __future__ import annotations

from typing import Any

from nameko.extensions import DependencyProvider
from nameko.web.server import WebServer
from werkzeug.middleware.proxy_fix import ProxyFix

from services.gateway.bootstrap import open_gate
from services.gateway.web.answers import Verification
from services.gateway.web.application import create_application
from services.gateway.web.hot import HotRoutes, Wsgi
from services.gateway.web.protocol import OneLength
from shared import green
from shared.hosting import HostedProcess

IDLE_SECONDS = 75
"""A connection on which nothing comes for so long is closed."""

LONGEST_REQUEST_LINE = 16 * 1024


class PlatformServer(WebServer):
    """nameko's web server, serving the platform's application on the address of the settings."""

    host = HostedProcess()

    def stop(self) -> None:
        if self._gt is not None:  # otherwise it never began to listen
            super().stop()

    def get_wsgi_app(self) -> Wsgi:
        settings = self.host.settings
        # a simulated clock is for tests and demonstrations: there it is worth its time
        verification: Verification = "off" if settings.clock is None else "tell"
        gate = open_gate(settings, self.host.process)
        routes = HotRoutes(gate, create_application(gate, verify_answers=verification), verification)
        return behind_proxies(routes, settings.trusted_proxies)

    def get_wsgi_server(
        self, sock: Any, wsgi_app: Wsgi, protocol: Any = OneLength, debug: bool = False
    ) -> green.wsgi.Server:
        server = green.wsgi.Server(
            sock,
            sock.getsockname(),
            wsgi_app,
            protocol=protocol,
            debug=debug,
            log_output=False,  # the application writes its own line, with the correlation id
            socket_timeout=IDLE_SECONDS,
            url_length_limit=LONGEST_REQUEST_LINE,
        )
        server.capitalize_response_headers = False  # they are; to look again costs more than to route a request
        return server


def behind_proxies(application: Wsgi, trusted: int) -> Wsgi:
    """The application, told the address that the outermost of so many proxies saw; what a caller wrote counts for
    nothing."""
    if not trusted:
        return application
    # nothing else of a proxy is believed: no address is ever made of the host or the scheme
    return ProxyFix(application, x_for=trusted, x_proto=0, x_host=0, x_port=0, x_prefix=0)


class ServesHttp(DependencyProvider):
    """Brings the server to a service class."""

    server = PlatformServer()

    def get_dependency(self, _worker_ctx: Any) -> None:
        """Nothing is given to workers: HTTP is served beside them."""
