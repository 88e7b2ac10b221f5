"""What the figures were taken on, and where the processor's time went meanwhile."""

from __future__ import annotations

import os
import platform as this
from collections import Counter
from pathlib import Path

import sqlalchemy as sa

from shared.messaging.connections import connect
from shared.runtime.settings import SERVICES
from tests.platform import Platform
from tests.servers import AMQP, DATABASE

TICKS = os.sysconf("SC_CLK_TCK")
SERVERS = {"postgres": "PostgreSQL", "beam.smp": "RabbitMQ"}
"""By the names of their processes."""


def described() -> str:
    """Cores, memory, versions and the settings of the database that make a commit durable."""
    processor = next(
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    )
    memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    engine = sa.create_engine(DATABASE, poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        version, fsync, synchronous = (
            connection.execute(sa.text(f"SHOW {name}")).scalar_one()
            for name in ("server_version", "fsync", "synchronous_commit")
        )
    broker = connect(AMQP)
    try:
        rabbitmq = broker.connection.server_properties["version"]
    finally:
        broker.release()
    return (
        f"{os.cpu_count()} cores ({processor}), {memory} GB, Linux {this.release()}, Python {this.python_version()}, "
        f"PostgreSQL {version.split()[0]} with fsync {fsync} and synchronous_commit {synchronous}, RabbitMQ {rabbitmq}"
    )


def cpu_seconds(platform: Platform) -> Counter[str]:
    """User and system time so far of each process of the platform, and of all of each server's processes."""
    found: Counter[str] = Counter()
    own = {str(platform.pid(service)): service or "platform" for service in platform.services or ("",)}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name, _, rest = (folder / "stat").read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue  # it has ended
        who = own.get(folder.name) or SERVERS.get(name)
        if who:
            found[who] += sum(map(int, rest.split()[11:13])) / TICKS
    return found


def resident_megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


ORDER = [*SERVICES, "platform", *SERVERS.values()]
