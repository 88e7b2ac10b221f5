"""A platform that was stopped or killed continues from its stored state when it is started again."""

from __future__ import annotations

from datetime import timedelta

from demo.founding_document import PASSWORD
from tests.platform import Platform
from tests.system.conftest import own_platform
from tests.system.money_files import Finance
from tests.system.scenario import Scenario, key

platform = own_platform


def restart(platform: Platform) -> None:
    codes = platform.stop()
    assert set(codes) == {0}, f"unclean exit: {codes}\n{platform.log()}"
    platform.start()


def test_clock_state_and_idempotency_keys_survive_a_restart(scenario: Scenario) -> None:
    platform = scenario.platform
    actor, person = scenario.actor(), scenario.young_person()
    book = scenario.publish(actor, 1000, 5)
    request_key = key()
    booking = scenario.make_booking(person, book.stock_id, key=request_key)
    now = platform.advance(timedelta(days=1, seconds=17))
    restart(platform)
    assert platform.now() == now
    assert scenario.booking(person, booking["bookingId"]) == booking
    assert scenario.remaining_credit(person) == 29000
    assert scenario.remaining_places(book) == 4
    again = scenario.book(person, book.stock_id, key=request_key)
    assert (again.status, again.json) == (201, booking)
    assert again.headers["Idempotency-Replayed"] == "true"
    scenario.use_at_desk(actor, booking)
    finance = Finance(platform)
    batch = finance.close_fortnight()
    restart(platform)
    finance.confirm_sent(batch)
    assert scenario.booking(person, booking["bookingId"])["status"] == "reimbursed"
    finance.assert_reconciled()


def test_signed_out_token_is_refused_after_a_restart(scenario: Scenario) -> None:
    platform = scenario.platform
    email = scenario.young_person().person.email

    def sign_in() -> str:
        answer = platform.post("/v1/auth/sign-in", {"email": email, "password": PASSWORD})
        assert answer.status == 200, answer
        return str(answer.json["refreshToken"])

    signed_out, alive = sign_in(), sign_in()
    assert platform.post("/v1/auth/sign-out", {"refreshToken": signed_out}).status == 200
    restart(platform)
    assert platform.post("/v1/auth/refresh", {"refreshToken": signed_out}).outcome == (401, "token-invalid")
    assert platform.post("/v1/auth/refresh", {"refreshToken": alive}).status == 200
    assert platform.post("/v1/auth/refresh", {"refreshToken": alive}).outcome == (401, "token-invalid")


def test_kill_loses_no_acknowledged_booking(scenario: Scenario) -> None:
    platform = scenario.platform
    actor, people = scenario.actor(), [scenario.young_person() for _ in range(3)]
    book = scenario.publish(actor, 1000, 10)
    bookings = [scenario.make_booking(person, book.stock_id) for person in people]
    for service in platform.services or ("",):
        platform.kill(service)
    platform.start()
    wait_idle_after_leases(platform)
    assert [
        scenario.booking(person, booking["bookingId"]) for person, booking in zip(people, bookings, strict=True)
    ] == bookings
    assert scenario.remaining_places(book) == 7
    Finance(platform).assert_reconciled()


def wait_idle_after_leases(platform: Platform) -> None:
    """A mail that was being sent when the process died is sent once its lease has expired."""
    answer = platform.call("POST", "/v1/ops/settle", {}, platform.token("operator"))
    if answer.code == "not-settled":
        platform.wait_idle()
