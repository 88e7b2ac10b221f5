"""Deletes tokens, sessions and failure counts that have long expired."""

from __future__ import annotations

from services.identity.application.unit_of_work import Ports, UnitOfWork
from services.identity.storage import credentials, failures


def prune(ports: Ports) -> None:
    machine_now = ports.machine.now()

    def delete(work: UnitOfWork) -> None:
        credentials.prune(work.connection, work.now, machine_now)
        failures.prune(work.connection, machine_now)

    ports.run(delete)
