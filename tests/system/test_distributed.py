"""Tests that need a process per service: isolated database roles, correlation ids, killed processes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from shared.eventstore.tables import stored_events
from shared.messaging import topology
from shared.messaging.connections import connect
from shared.runtime.settings import STORES, Settings
from tests.platform import Platform, distributed, namespace_of
from tests.servers import AMQP
from tests.system.money_files import Finance
from tests.system.scenario import Scenario, key

pytestmark = pytest.mark.distributed


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Distributed mode only."""
    with distributed(tmp_path_factory.mktemp("distributed")) as platform:
        yield platform


def as_role(platform: Platform, service: str) -> sa.Engine:
    """An engine with the credentials of a service, or of the store of keys."""
    url = Settings.from_environment(platform.environment).database_url(service)
    return sa.create_engine(url, poolclass=sa.pool.NullPool)


@pytest.mark.parametrize("service", STORES)
def test_database_role_reads_only_its_own_schema(platform: Platform, service: str) -> None:
    """The roles of identity and of its store of keys are separate, too."""
    engine = as_role(platform, service)
    with platform.database(service).connect() as owner:
        everything = owner.execute(
            sa.text("SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY(:of)"), {"of": list(STORES)}
        ).all()
    mine = [table for schema, table in everything if schema == service]
    others = [(schema, table) for schema, table in everything if schema != service]
    assert mine and {schema for schema, _ in others} == {*STORES} - {service}
    for table in mine:
        with engine.connect() as connection:
            connection.execute(sa.text(f"SELECT * FROM {service}.{table} LIMIT 1"))
    for schema, table in others:
        with engine.connect() as connection, pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
            connection.execute(sa.text(f"SELECT * FROM {schema}.{table} LIMIT 1"))
    with engine.connect() as connection, pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
        connection.execute(sa.text("CREATE TABLE public.mine (a int)"))


def events_of(platform: Platform, service: str, correlation_id: str) -> list[str]:
    query = sa.select(stored_events.c.topic).where(stored_events.c.correlation_id == correlation_id)
    with platform.database(service).connect() as connection:
        return list(connection.execute(query.order_by(stored_events.c.id)).scalars())


def test_correlation_id_reaches_the_last_consumer(scenario: Scenario) -> None:
    """Payout prices a validation at the desk two processes later."""
    platform = scenario.platform
    actor, person = scenario.actor(), scenario.young_person()
    book = scenario.publish(actor, 1000, 5)
    booked, validated = "request-of-booking", "request-of-desk"
    answer = platform.call(
        "POST",
        "/v1/bookings",
        {"stockId": book.stock_id, "quantity": 1},
        person.token,
        key=key(),
        headers={"X-Request-Id": booked},
    )
    assert answer.status == 201, answer
    assert answer.headers["X-Request-Id"] == booked
    path = f"/v2/bookings/use/token/{answer.json['countermark']}"
    assert platform.call("PATCH", path, token=actor.token, headers={"X-Request-Id": validated}).status == 204
    platform.wait_idle()
    assert events_of(platform, "booking", booked)
    assert events_of(platform, "wallet", booked)
    assert events_of(platform, "payout", booked) == []
    assert any("Validated" in topic for topic in events_of(platform, "booking", validated))
    assert any("riced" in topic for topic in events_of(platform, "payout", validated))


def test_missing_or_invalid_request_id_is_replaced(scenario: Scenario) -> None:
    made = scenario.platform.call("GET", "/v1/settings").headers["X-Request-Id"]
    assert len(made) >= 16
    bad = scenario.platform.call("GET", "/v1/settings", headers={"X-Request-Id": "a b"}).headers["X-Request-Id"]
    assert bad != "a b"


@pytest.mark.parametrize("service", ["booking", "wallet", "payout", "catalog", "identity"])
def test_killed_service_loses_nothing(scenario: Scenario, service: str) -> None:
    """People book while the process is killed and restarted: each request has one outcome, and the accounts balance."""
    platform = scenario.platform
    actor = scenario.actor()
    people = [scenario.young_person() for _ in range(6)]
    stock = scenario.publish(actor, 1000, 4).stock_id
    keys = [key() for _ in people]
    outcomes: dict[int, Any] = {}

    def book_with_retries(number: int) -> None:
        for _ in range(40):
            try:
                answer = scenario.book(people[number], stock, key=keys[number])
            except OSError:
                continue
            if answer.status != 503:
                outcomes[number] = answer
                return

    threads = [threading.Thread(target=book_with_retries, args=(number,)) for number in range(len(people))]
    for thread in threads[:3]:
        thread.start()
    platform.kill(service)
    for thread in threads[3:]:
        thread.start()
    platform.start_process(service)
    platform.wait_until_ready()
    for thread in threads:
        thread.join()
    platform.wait_idle()
    assert sorted(answer.status for answer in outcomes.values()) == [201] * 4 + [409] * 2
    for number, answer in outcomes.items():
        assert scenario.remaining_credit(people[number]) == (29000 if answer.status == 201 else 30000)
        assert scenario.book(people[number], stock, key=keys[number]).json == answer.json
        if answer.status == 201:
            scenario.use_at_desk(actor, answer.json)
    Finance(platform).assert_reconciled()


def test_deleted_queue_is_recreated_and_its_messages_are_recovered(scenario: Scenario) -> None:
    platform = scenario.platform
    actor, person = scenario.actor(), scenario.young_person()
    booking = scenario.make_booking(person, scenario.publish(actor, 1000, 5).stock_id)
    namespace = namespace_of(platform.environment["DATABASE_URL"])
    with connect(AMQP) as connection, connection.channel() as channel:
        topology.events_queue(namespace, "payout", "booking")(channel).delete()
    scenario.use_at_desk(actor, booking)
    platform.wait_idle()
    year = Finance(platform).year(scenario.siret(actor), platform.now().year)
    assert year["revenueCents"] == 1000
    Finance(platform).assert_reconciled()
