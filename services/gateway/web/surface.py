"""Hosts the HTTP surface inside nameko: a server in green threads of the gateway's container."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

import structlog
from nameko.extensions import DependencyProvider
from werkzeug.middleware.proxy_fix import ProxyFix

from services.gateway.bootstrap import open_gate
from services.gateway.http.connections import Wsgi
from services.gateway.http.responses import Response
from services.gateway.http.server import BACKLOG, MAX_CONNECTIONS, Limits, Server
from services.gateway.routes import desk
from services.gateway.web.answers import Verification, headers_of
from services.gateway.web.application import create_application
from services.gateway.web.hot import HotRoutes
from services.gateway.web.problems import refusal_said
from shared import green
from shared.hosting import HostedProcess
from shared.kernel.errors import DomainError
from shared.observability import metrics

log = structlog.get_logger()


class ServesHttp(DependencyProvider):
    """Serves the platform's application on the address of the settings, beside the workers of a service class."""

    host = HostedProcess()
    server: Server | None = None

    def start(self) -> None:
        settings = self.host.settings
        # a simulated clock is for tests and demonstrations: there it is worth its time
        verification: Verification = "off" if settings.clock is None else "tell"
        gate = open_gate(settings, self.host.process)
        routes = HotRoutes(gate, create_application(gate, verify_answers=verification), verification)
        # all connections come from the proxies where there are some
        limits = Limits(connections_per_address=MAX_CONNECTIONS) if settings.trusted_proxies else Limits()
        self.server = Server(behind_proxies(routes, settings.trusted_proxies), refuse, limits)
        listener = green.listen((settings.bind, settings.port), backlog=BACKLOG)
        self._accepting = self.container.spawn_managed_thread(partial(self.server.serve, listener), identifier="http")
        self._listener = listener

    def stop(self) -> None:
        if self.server is not None:  # otherwise it never began to listen
            self._accepting.kill()
            self._listener.close()
            self.server.stop()

    def get_dependency(self, _worker_ctx: Any) -> None:
        """Nothing is given to workers: HTTP is served beside them."""


def refuse(refusal: DomainError, method: str, path: str) -> Response:
    """The response to what the application never sees, or failed at; a line of the log, like that of any request."""
    request_id = uuid.uuid4().hex
    said = desk.refusal_said(refusal, path) if desk.is_desk_path(path) else refusal_said(refusal)
    metrics.requests.labels("any", "none", said.status).observe(0)
    log.info("request", method=method, path=path, status=said.status, detail=refusal.detail, correlation_id=request_id)
    return Response(said.status, headers_of(said, request_id), said.body)


def behind_proxies(application: Wsgi, trusted: int) -> Wsgi:
    """The application, told the address that the outermost of so many proxies saw; what a caller wrote counts for
    nothing."""
    if not trusted:
        return application
    # nothing else of a proxy is believed: no address is ever made of the host or the scheme
    return ProxyFix(application, x_for=trusted, x_proto=0, x_host=0, x_port=0, x_prefix=0)
