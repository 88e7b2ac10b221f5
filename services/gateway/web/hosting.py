"""Hosts the HTTP surface inside nameko: a server in green threads of the gateway's container."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

import structlog
from nameko.extensions import DependencyProvider
from werkzeug.middleware.proxy_fix import ProxyFix

from services.gateway.bootstrap import open_ports
from services.gateway.http.connections import Wsgi
from services.gateway.http.responses import Response
from services.gateway.http.server import BACKLOG, MAX_CONNECTIONS, Limits, Server
from services.gateway.web.application import create_application
from services.gateway.web.fast_routes import FastRoutes
from services.gateway.web.responses.answers import Verification, headers_of
from services.gateway.web.responses.problems import problem_response
from services.gateway.web.routes import desk
from shared import green
from shared.hosting import HostedProcess
from shared.kernel.errors import DomainError
from shared.observability import metrics

log = structlog.get_logger()


class ServesHttp(DependencyProvider):
    """Serves the HTTP application on the address of the settings, beside the workers of the service."""

    host = HostedProcess()
    server: Server | None = None

    def start(self) -> None:
        settings = self.host.settings
        # a simulated clock is for tests and demonstrations, where the time for it does not matter
        verification: Verification = "off" if settings.clock is None else "log"
        ports = open_ports(settings, self.host.process)
        routes = FastRoutes(ports, create_application(ports, verify_answers=verification), verification)
        # behind proxies, all connections come from their addresses
        limits = Limits(connections_per_address=MAX_CONNECTIONS) if settings.trusted_proxies else Limits()
        self.server = Server(behind_proxies(routes, settings.trusted_proxies), refuse, limits)
        listener = green.listen((settings.bind, settings.port), backlog=BACKLOG)
        self._accepting = self.container.spawn_managed_thread(partial(self.server.serve, listener), identifier="http")
        self._listener = listener

    def stop(self) -> None:
        if self.server is not None:  # it has started
            self._accepting.kill()
            self._listener.close()
            self.server.stop()

    def get_dependency(self, _worker_ctx: Any) -> None:
        """Workers get nothing: HTTP is served beside them."""


def refuse(refusal: DomainError, method: str, path: str) -> Response:
    """Logs and answers a request that the application never sees, or failed at."""
    request_id = uuid.uuid4().hex
    response = desk.refusal_response(refusal, path) if desk.is_desk_path(path) else problem_response(refusal)
    metrics.requests.labels("any", "none", response.status).observe(0)
    log.info(
        "request", method=method, path=path, status=response.status, detail=refusal.detail, correlation_id=request_id
    )
    return Response(response.status, headers_of(response, request_id), response.body)


def behind_proxies(application: Wsgi, trusted: int) -> Wsgi:
    """The application, which sees the address that the outermost of so many trusted proxies saw.

    What a client writes into the header itself is ignored."""
    if not trusted:
        return application
    # no other header of a proxy is trusted: no address is ever made of the host or the scheme
    return ProxyFix(application, x_for=trusted, x_proto=0, x_host=0, x_port=0, x_prefix=0)
