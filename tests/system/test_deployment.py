"""A deployed platform as operators see it: commands, probes, metrics."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from demo.sign_up import Actor
from shared.hosting.platform import service_class, sources_of, stores_of
from shared.runtime.settings import SERVICES, SETTINGS
from tests.manifests import connections_of
from tests.platform import Platform, embedded
from tests.system.cluster import Cluster, Samples, cluster, samples
from tests.system.scenario import Scenario, key
from tests.waiting import wait_until

GAUGES = (
    "passculture_outbox_position",
    "passculture_outbox_waiting_events",
    "passculture_dead_letters",
    "passculture_saga_recoveries_total",
    "passculture_parts_in_trouble",
)
POOL = ("passculture_database_connections_in_use", "passculture_database_connections_limit")
LAG = ("passculture_consumer_lag_events", "passculture_consumer_lag_seconds")
PROCESSED = {
    "identity": "validate-offerer",
    "catalog": "open-venue",
    "booking": "book",
    "wallet": "reserve",
    "payout": "accept-bank-details",
}
"""A command that each service has processed after a booking; the gateway processes none."""


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started


@pytest.fixture(scope="module")
def scenario(deployed: Cluster) -> Scenario:
    return Scenario(deployed)


@pytest.fixture(scope="module")
def actor(scenario: Scenario) -> Actor:
    return scenario.actor()


def wait_for_metrics(scrape: Callable[[], Samples], service: str) -> None:
    """Waits until all metrics of a service exist; some are measured every few seconds only."""
    wait_until(lambda: not missing(scrape(), service), lambda: f"{service} does not tell {missing(scrape(), service)}")


def missing(found: Samples, service: str) -> set[tuple[str, str]]:
    """The metrics of a service that a scrape does not contain."""
    expected = {(name, "") for name in GAUGES}
    expected |= {(name, store) for name in POOL for store in stores_of([service])}
    expected |= {(name, source) for name in LAG for source in sources_of(service_class(service))}
    expected.add(("passculture_queries_total", "health ok"))
    if service in PROCESSED:
        expected.add(("passculture_commands_total", f"{PROCESSED[service]} ok"))
    return expected - {(name, labels) for name, of, labels in found if of == service}


def test_embedded_platform_has_all_metrics(tmp_path_factory: pytest.TempPathFactory) -> None:
    with embedded(tmp_path_factory.mktemp("embedded")) as platform:
        scenario = Scenario(platform)
        scenario.make_used_booking(scenario.actor(), scenario.young_person(), 1000)
        platform.call("GET", "/health/ready")

        def scrape() -> Samples:
            return samples(platform.call("GET", "/metrics").body.decode())

        for service in SERVICES:
            wait_for_metrics(scrape, service)
        found = scrape()
        assert found["passculture_http_request_seconds_count", "", "/v1/bookings"] == 1
        assert found["passculture_outbox_position", "booking", ""] > 0


def is_scram_of(stored: str, password: str) -> bool:
    """Whether a verifier stored by PostgreSQL is that of the password (SCRAM-SHA-256, RFC 5803)."""
    _, iterated, keys = stored.split("$")
    iterations, salt = iterated.split(":")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(iterations))
    client = hmac.digest(salted, b"Client Key", "sha256")
    return base64.b64encode(hashlib.sha256(client).digest()).decode() == keys.split(":")[0]


@contextmanager
def renamed(platform: Platform, table: str) -> Iterator[None]:
    """Renames a table of wallet within the block, so that its handlers fail."""
    with platform.database("wallet").begin() as connection:
        connection.execute(sa.text(f"ALTER TABLE {table} RENAME TO {table}_away"))
    try:
        yield
    finally:
        with platform.database("wallet").begin() as connection:
            connection.execute(sa.text(f"ALTER TABLE {table}_away RENAME TO {table}"))


@pytest.mark.distributed
class TestDeployed:
    @pytest.mark.parametrize("service", SERVICES)
    def test_service_starts_and_its_probes_succeed(self, deployed: Cluster, service: str) -> None:
        assert deployed.probe(service, "startupProbe") == (200, {"live": True})
        assert deployed.probe(service, "livenessProbe") == (200, {"live": True})
        assert deployed.probe(service, "readinessProbe") == (200, {"ready": True, "trouble": {}})

    def test_service_gets_only_its_own_secrets(self, deployed: Cluster) -> None:
        """Only the migrations have the administrator's URL, and only identity and the gateway the signing key."""
        admin = deployed.secrets["passculture-admin"]["DATABASE_URL"]
        for service in SERVICES:
            environ = Path(f"/proc/{deployed.pid(service)}/environ").read_text()
            own = dict(line.split("=", 1) for line in environ.split("\0") if "=" in line)
            settings = {name for name in own if name in SETTINGS and name not in ("DATABASE_URL_KEYS", "SIGNING_KEY")}
            assert {name for name in settings if name.startswith("DATABASE_URL")} == {f"DATABASE_URL_{service.upper()}"}
            assert ("DATABASE_URL_KEYS" in own) == (service == "identity")
            assert ("SIGNING_KEY" in own) == (service in ("identity", "gateway"))
            assert admin not in own.values()

    def test_migrate_sets_the_password_of_a_role_once(self, deployed: Cluster) -> None:
        url = sa.make_url(deployed.secrets["passculture"]["DATABASE_URL_WALLET"])
        assert url.username and url.password
        with deployed.database("wallet").connect() as connection:
            query = sa.text("SELECT rolpassword FROM pg_authid WHERE rolname = :role")
            before = connection.execute(query, {"role": url.username}).scalar_one()
            assert is_scram_of(before, url.password)
            assert not is_scram_of(before, "another")
            deployed.start_process("migrate")
            assert deployed.exit_code("migrate") == 0
            assert connection.execute(query, {"role": url.username}).scalar_one() == before

    def test_connection_limits_match_the_manifests(self, deployed: Cluster) -> None:
        """tests/unit/deploy checks that their sum is below PostgreSQL's limit."""
        limits = {
            (service, store): deployed.scrape(service)["passculture_database_connections_limit", service, store]
            for service in SERVICES
            for store in stores_of([service])
        }
        assert limits == {place: connections_of(deployed.objects, *place) for place in limits}

    def test_public_port_has_no_metrics(self, deployed: Cluster) -> None:
        assert deployed.call("GET", "/metrics").status == 404

    def test_every_service_has_all_metrics(self, deployed: Cluster, scenario: Scenario, actor: Actor) -> None:
        scenario.make_used_booking(actor, scenario.young_person(), 1000)
        deployed.call("GET", "/health/ready")
        for service in SERVICES:
            wait_for_metrics(partial(deployed.scrape, service), service)
        assert deployed.scrape("gateway")["passculture_http_request_seconds_count", "", "/v1/bookings"] == 1
        for service in ("identity", "catalog", "booking", "wallet", "payout"):
            assert deployed.scrape(service)["passculture_outbox_position", service, ""] > 0

    def test_commands_are_counted_by_outcome(self, deployed: Cluster, scenario: Scenario, actor: Actor) -> None:
        def count(outcome: str) -> float:
            return deployed.scrape("booking").get(("passculture_commands_total", "booking", f"book {outcome}"), 0)

        person, request_key = scenario.young_person(), key()
        stock, expensive = scenario.publish(actor, 1000).stock_id, scenario.publish(actor, 299_00).stock_id
        before = {outcome: count(outcome) for outcome in ("ok", "replayed")}
        for _ in range(2):
            assert scenario.book(person, stock, key=request_key).status == 201
        refused = scenario.book(person, expensive)
        assert refused.status // 100 == 4
        assert {outcome: count(outcome) - times for outcome, times in before.items()} == {"ok": 1, "replayed": 1}
        assert count(refused.code) == 1

    def test_lag_and_pool_use_rise_while_a_consumer_is_blocked(
        self, deployed: Cluster, scenario: Scenario, actor: Actor
    ) -> None:
        person, stock = scenario.young_person(), scenario.publish(actor, 1000).stock_id
        deployed.wait_idle()

        def wallet(name: str, labels: str = "") -> float:
            return deployed.scrape("wallet")[f"passculture_{name}", "wallet", labels]

        lock = sa.text("SELECT position FROM tracking WHERE source = 'booking' FOR UPDATE")
        with deployed.database("wallet").begin() as connection:
            connection.execute(lock)
            scenario.make_booking(person, stock)
            wait_until(lambda: wallet("consumer_lag_events", "booking") >= 1)
            first_lag = wallet("consumer_lag_seconds", "booking")
            wait_until(lambda: wallet("consumer_lag_seconds", "booking") > first_lag)
            assert wallet("database_connections_in_use", "wallet") >= 1
            assert wallet("consumer_lag_events", "identity") == 0
        wait_until(lambda: wallet("consumer_lag_events", "booking") == 0)
        assert wallet("consumer_lag_seconds", "booking") == 0
        wait_until(lambda: wallet("database_connections_in_use", "wallet") == 0)

    def test_dead_letters_are_counted_until_replayed(self, deployed: Cluster, scenario: Scenario, actor: Actor) -> None:
        def letters() -> float:
            return deployed.scrape("wallet")["passculture_dead_letters", "wallet", ""]

        booking = scenario.make_booking(scenario.young_person(), scenario.publish(actor, 1000).stock_id)
        deployed.wait_idle()
        assert letters() == 0
        with renamed(deployed, "ledger_entries"):
            scenario.use_at_desk(actor, booking)
            wait_until(lambda: letters() == 1)
        listed = deployed.get("/v1/ops/dead-letters", deployed.token("operator"))["items"]
        assert [(letter["service"], letter["message"]) for letter in listed] == [("wallet", "CountermarkValidated")]
        path = f"/v1/ops/dead-letters/{listed[0]['id']}/replay"
        assert deployed.post(path, {}, deployed.token("operator")).status == 200
        wait_until(lambda: letters() == 0)

    def test_recovery_finishes_a_booking_after_the_bus_returns(
        self, deployed: Cluster, scenario: Scenario, actor: Actor
    ) -> None:
        """Without the bus wallet is not ready, but the other services are."""

        def recoveries() -> float:
            return deployed.scrape("booking")["passculture_saga_recoveries_total", "booking", ""]

        person, stock, request_key = scenario.young_person(), scenario.publish(actor, 1000).stock_id, key()
        before = recoveries()
        deployed.proxies.cut(["rabbitmq"], "refuse")
        wait_until(lambda: not deployed.is_ready("wallet"))
        trouble = deployed.probe("wallet", "readinessProbe")[1]["trouble"]
        assert any("BusUnavailable" in why for why in trouble.values()), trouble
        assert deployed.probe("wallet", "livenessProbe")[0] == 200
        pending = scenario.book(person, stock, key=request_key)
        assert pending.outcome == (503, "outcome-pending")
        whole = deployed.call("GET", "/health/ready")
        assert (whole.status, whole.json["services"]["wallet"]) == (503, "away")
        assert [service for service in SERVICES if not deployed.is_ready(service)] == ["wallet"]
        deployed.proxies.restore(["rabbitmq"])
        wait_until(lambda: deployed.is_ready("wallet"), lambda: str(deployed.probe("wallet", "readinessProbe")))
        wait_until(lambda: recoveries() > before)
        assert scenario.book(person, stock, key=request_key).status == 201
        wait_until(lambda: deployed.call("GET", "/health/ready").status == 200)

    def test_service_is_not_ready_while_its_database_is_away(self, deployed: Cluster) -> None:
        deployed.proxies.cut(["postgresql"], "refuse")
        wait_until(lambda: not deployed.is_ready("wallet"))
        trouble = deployed.probe("wallet", "readinessProbe")[1]["trouble"]
        assert any("StoreUnavailable" in why for why in trouble.values()), trouble
        whole = deployed.call("GET", "/health/ready")
        assert (whole.status, whole.json["services"]["wallet"]) == (503, "trouble")
        assert [service for service in SERVICES if not deployed.is_ready(service)] == ["wallet"]
        deployed.proxies.restore(["postgresql"])
        wait_until(lambda: deployed.is_ready("wallet"), lambda: str(deployed.probe("wallet", "readinessProbe")))
        wait_until(lambda: deployed.call("GET", "/health/ready").status == 200)

    def test_sigterm_stops_every_service_cleanly(self, deployed: Cluster) -> None:
        logs = {service: deployed.folder / f"{service}.log" for service in SERVICES}
        sizes = {service: path.stat().st_size for service, path in logs.items()}
        assert deployed.terminate() == dict.fromkeys(SERVICES, 0)
        for service, path in logs.items():
            assert b"Traceback" not in path.read_bytes()[sizes[service] :], service
