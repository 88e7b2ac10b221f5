"""The state of an earlier release opens, migrates, matches its event log, and the platform continues from it.

The folder ``releases`` has the states, each with the responses to all reads before the platform was stopped.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from demo.sign_up import sign_in
from shared.kernel.time import parse_instant
from tests.contracts.golden import lost
from tests.platform import Platform, distributed_on, embedded
from tests.servers import own_database
from tests.system.money_files import Finance
from tests.system.releases.record import FOLDER, answers
from tests.system.scenario import Scenario

ARCHIVES = [
    pytest.param(
        path, marks=pytest.mark.distributed if "distributed" in path.name else (), id=path.name.split(".tar")[0]
    )
    for path in sorted(FOLDER.glob("*.tar.xz"))
]


class Upgraded:
    """A platform of the current code on the state of an earlier release, and the notes of that release."""

    def __init__(self, platform: Platform, notes: dict[str, Any]) -> None:
        self.platform = platform
        self.notes = notes
        self.scenario = Scenario(platform, first=1_000)
        self.finance = Finance(platform)

    def token(self, email: str) -> str:
        return sign_in(self.platform.client, email)


@pytest.fixture(scope="module", params=ARCHIVES)
def upgraded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upgraded]:
    folder = tmp_path_factory.mktemp("upgraded")
    with tarfile.open(request.param) as packed:
        packed.extractall(folder / "state", filter="data")
    notes = json.loads((folder / "state" / "notes.json").read_text("utf-8"))
    with ExitStack() as stack:
        if "distributed" in request.param.name:
            url = stack.enter_context(own_database())
            restore(url, (folder / "state" / "dump.sql").read_text("utf-8"))
            platform = stack.enter_context(distributed_on(url, folder))
        else:
            platform = stack.enter_context(embedded(folder))
        platform.wait_idle()
        yield Upgraded(platform, notes)


def restore(url: str, dump: str) -> None:
    """Executes a dump as psql would, after creating the roles that it names and without psql's own commands."""
    database = str(sa.make_url(url).database)
    statements = "\n".join(line for line in dump.splitlines() if not line.startswith("\\"))
    statements = statements.replace("DATABASE", database)
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        for role in sorted(set(re.findall(rf"OWNER TO ({database}_\w+);", statements))):
            connection.exec_driver_sql(f"CREATE ROLE {role}")
        with connection.connection.cursor() as cursor:
            cursor.execute(statements)
    engine.dispose()


def run_json(platform: Platform, *arguments: str) -> Any:
    done = platform.command(*arguments, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def without_texts(answer: dict[str, Any]) -> dict[str, Any]:
    """Each release may change the texts of refusals, but not their status, type and code."""
    if answer["status"] < 400:
        return answer
    return {
        **answer,
        "json": {name: value for name, value in answer["json"].items() if name not in ("title", "detail")},
    }


def test_all_reads_return_the_same_as_before(upgraded: Upgraded) -> None:
    """No field is lost or different, except the texts of refusals; a newer release may add fields."""
    platform, before = upgraded.platform, upgraded.notes["answers"]
    assert platform.now() == parse_instant(upgraded.notes["now"])
    again = answers(platform, [(answer["who"], answer["path"]) for answer in before])
    differences = {
        f"{old['who']} {old['path']}": found
        for old, new in zip(before, again, strict=True)
        if (found := lost(without_texts(old), new))
    }
    assert differences == {}
    assert len(before) > 60


def test_idempotency_key_replays_the_response_of_the_earlier_release(upgraded: Upgraded) -> None:
    booked = upgraded.notes["kept"]["booked"]
    body = {"stockId": booked["stockId"], "quantity": 1}
    again = upgraded.platform.post("/v1/bookings", body, upgraded.token(booked["who"]), key=booked["key"])
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (again.status, lost(booked["answer"], again.json)) == (201, [])


def test_dead_letter_of_the_earlier_release_is_replayed(upgraded: Upgraded) -> None:
    platform = upgraded.platform
    operator = platform.token("operator")
    (letter,) = platform.get("/v1/ops/dead-letters", operator)["items"]
    assert (letter["service"], letter["message"], letter["state"]) == ("gateway", "VenueChanged", "failed")
    replayed = platform.post(f"/v1/ops/dead-letters/{letter['id']}/replay", {}, operator)
    assert (replayed.status, replayed.json) == (200, {"letters": 1})
    assert platform.get("/v1/ops/dead-letters", operator)["items"] == []


def test_read_models_match_the_event_log(upgraded: Upgraded) -> None:
    assert run_json(upgraded.platform, "verify")["equal"] is True


def test_reconciliation_balances(upgraded: Upgraded) -> None:
    upgraded.finance.assert_reconciled()


def test_upgraded_platform_continues(upgraded: Upgraded) -> None:
    """An earlier booking is validated, a new person books an earlier offer, and a fortnight is closed."""
    platform, scenario, client = upgraded.platform, upgraded.scenario, upgraded.notes["kept"]
    actor = upgraded.token(client["actor"])
    by_api_key = scenario.desk("look-up", client["countermark"], client["apiKey"])
    assert by_api_key.status == 200, by_api_key
    assert scenario.desk("use", client["countermark"], actor).status == 204
    new, newcomer = scenario.young_person(), scenario.actor()
    booking = scenario.make_used_booking(newcomer, new, 1_000)
    earlier_offer = platform.post("/v1/bookings", {"stockId": client["book"], "quantity": 1}, new.token)
    assert earlier_offer.status == 201, earlier_offer
    assert scenario.desk("use", earlier_offer.json["countermark"], actor).status == 204
    assert upgraded.finance.close_fortnight()["totalCents"] > 0
    batches = platform.get("/v1/finance/payouts", upgraded.finance.token)["items"]
    upgraded.finance.confirm_sent(batches[0])
    assert scenario.booking(new, booking["bookingId"])["status"] == "reimbursed"
    platform.advance(timedelta(days=40))
    upgraded.finance.assert_reconciled()
    assert run_json(platform, "verify")["equal"] is True
    assert platform.get("/v1/ops/dead-letters", platform.token("operator"))["items"] == []
