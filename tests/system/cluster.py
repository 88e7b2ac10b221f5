"""Runs the platform from its manifests on this machine: with the command, settings, ports and probes of each container.

Secrets and addresses are those of the test servers; each process gets only the secrets that its manifest names. The
connections of wallet to both servers go through proxies that a test can interrupt.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families

from shared.runtime.settings import EXTRA_STORES, SERVICES
from shared.runtime.tokens import COMMAND_LINE, access_token
from tests.chaos.proxy import Proxies
from tests.image import INSTALLED
from tests.manifests import built, command_of, containers, environment_of, probe_of, settings_of
from tests.operators import ops
from tests.platform import NotReady, Platform, environment_with, free_port, namespace_of, remove_topology
from tests.servers import AMQP, DATABASE, own_database
from tests.waiting import TIMEOUT_SECONDS, wait_until

SIGNING_KEY = "the signing key in the cluster's secret"
BEHIND_PROXIES = "wallet"
FURTHER_LABELS = ("source", "store", "command", "query", "route", "outcome")
Samples = dict[tuple[str, str, str], float]
"""(metric, service, further labels) → value."""


class Cluster(Platform):
    """One pod of each Deployment."""

    def __init__(self, folder: Path, database: str) -> None:
        super().__init__(folder, {"DATABASE_URL": database, "AMQP_URI": AMQP}, SERVICES)
        self.objects = built()
        self.pods = {found["metadata"]["name"]: containers(found)[0] for found in self.objects if containers(found)}
        self.ops_ports = {service: free_port() for service in SERVICES}
        self._ops_port_inside = int(settings_of(self.objects)["OPS_PORT"])
        self.proxies = Proxies({"postgresql": _address(DATABASE, 5432), "rabbitmq": _address(AMQP, 5672)})
        self.secrets = {"passculture": _secret(database), "passculture-admin": {"DATABASE_URL": database}}
        self._local_settings = {
            "BIND": "127.0.0.1",
            "PORT": str(self.port),
            "NAMESPACE": namespace_of(database),
            "MAIL_URL": f"file:{self.state / 'mail'}",
            "SMS_URL": f"file:{self.state / 'sms'}",
        }

    def token(self, role: str) -> str:
        return access_token(COMMAND_LINE, frozenset({role}), SIGNING_KEY.encode())

    def start(self) -> None:
        """Runs the migration job, then starts all Deployments. Raises NotReady."""
        self.state.mkdir(parents=True)
        self.start_process("migrate")
        if self.exit_code("migrate"):
            raise NotReady(f"migrate\n{self.log()}")
        for service in SERVICES:
            self.start_process(service)
        for service in SERVICES:
            wait_until(lambda service=service: self.probe(service, "readinessProbe")[0] == 200, self.log)

    def start_process(self, service: str = "") -> None:
        command = [word.replace(INSTALLED, sys.prefix) for word in command_of(self.pods[service])]
        own = self.state / service  # pods share no disk
        own.mkdir(exist_ok=True)
        environment = environment_with(self.environment_of(service) | self._local_settings | {"STATE_DIR": str(own)})
        if service in self.ops_ports:
            environment["OPS_PORT"] = str(self.ops_ports[service])
        if service == BEHIND_PROXIES:
            url = f"DATABASE_URL_{service.upper()}"
            environment[url] = self._through("postgresql", environment[url])
            environment["AMQP_URI"] = self._through("rabbitmq", environment["AMQP_URI"])
        with (self.folder / f"{service}.log").open("ab") as output:
            self._processes[service] = subprocess.Popen(
                command, cwd=own, env=environment, stdout=output, stderr=output, start_new_session=True
            )

    def environment_of(self, pod: str) -> dict[str, str]:
        """The environment variables of a pod."""
        return environment_of(self.pods[pod], self.objects, self.secrets)

    def _through(self, server: str, url: str) -> str:
        parts = urlsplit(url)
        host = f"127.0.0.1:{self.proxies.ports[server]}"
        return parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@{host}").geturl()

    def exit_code(self, pod: str) -> int:
        """Waits for the end of a job."""
        return self._processes.pop(pod).wait(TIMEOUT_SECONDS)

    def terminate(self) -> dict[str, int]:
        """Stops all pods with SIGTERM, as Kubernetes does; returns the exit codes."""
        processes, self._processes = dict(self._processes), {}
        for process in processes.values():
            os.kill(process.pid, signal.SIGTERM)
        return {service: process.wait(TIMEOUT_SECONDS) for service, process in processes.items()}

    def probe(self, service: str, kind: str) -> tuple[int, Any]:
        """The response to a probe of the pod."""
        path, port = probe_of(self.pods[service], kind)
        assert port == self._ops_port_inside, "the probe does not use OPS_PORT"
        status, body = ops(self.ops_ports[service], path)
        return status, json.loads(body or b"null")

    def is_ready(self, service: str) -> bool:
        return self.probe(service, "readinessProbe")[0] == 200

    def scrape(self, service: str) -> Samples:
        status, body = ops(self.ops_ports[service], "/metrics")
        assert status == 200
        return samples(body.decode())


def samples(exposition: str) -> Samples:
    """The values in a Prometheus exposition."""
    found: Samples = {}
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            labels = dict(sample.labels)
            service = labels.pop("service", "")
            further = " ".join(labels[name] for name in FURTHER_LABELS if name in labels)
            found[sample.name, service, further] = sample.value
    return found


def _secret(database: str) -> dict[str, str]:
    """The URL of each store, with a role that the migrations create and a password that must be quoted in a URL."""
    urls = {
        f"DATABASE_URL_{store.upper()}": sa.make_url(database)
        .set(username=f"{namespace_of(database)}_{store}", password=f"{store}'s %own:@/")
        .render_as_string(hide_password=False)
        for store in (*SERVICES, *EXTRA_STORES)
    }
    debtor = {"DEBTOR_IBAN": "FR7630001007941234567890185", "DEBTOR_BIC": "BDFEFRPPCCT"}
    return {**urls, "AMQP_URI": AMQP, "SIGNING_KEY": SIGNING_KEY, **debtor}


def _address(url: str, default: int) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or default


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    with own_database() as url:
        started = Cluster(folder, url)
        try:
            started.start()
            yield started
        finally:
            started.stop()
            started.proxies.close()
            remove_topology(namespace_of(url))
