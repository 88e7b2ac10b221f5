"""What the platform of an earlier release left is opened, migrated, agrees with its log, and the story goes on.

The states are kept in ``releases``, each with what everybody read before it was stopped.
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
    """A platform of today on the state of an earlier release, and the notes of that one."""

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
    """Carries out a dump as psql would: with the roles that own what it makes, without the lines for psql alone."""
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


def said(platform: Platform, *arguments: str) -> Any:
    done = platform.command(*arguments, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def without_texts(answer: dict[str, Any]) -> dict[str, Any]:
    """The texts of refusals may be worded differently by each release; status, type and code may not change."""
    if answer["status"] < 400:
        return answer
    return {
        **answer,
        "json": {name: value for name, value in answer["json"].items() if name not in ("title", "detail")},
    }


def test_everybody_reads_what_they_read_before(upgraded: Upgraded) -> None:
    """Nothing of an answer is lost or different, except the texts of refusals; a newer release may answer more."""
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


def test_a_key_gives_the_answer_of_then_once_more(upgraded: Upgraded) -> None:
    booked = upgraded.notes["kept"]["booked"]
    body = {"stockId": booked["stockId"], "quantity": 1}
    again = upgraded.platform.post("/v1/bookings", body, upgraded.token(booked["who"]), key=booked["key"])
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (again.status, lost(booked["answer"], again.json)) == (201, [])


def test_a_dead_letter_of_then_is_listed_and_replayed(upgraded: Upgraded) -> None:
    platform = upgraded.platform
    operator = platform.token("operator")
    (letter,) = platform.get("/v1/ops/dead-letters", operator)["items"]
    assert (letter["service"], letter["message"], letter["state"]) == ("gateway", "VenueChanged", "failed")
    replayed = platform.post(f"/v1/ops/dead-letters/{letter['id']}/replay", {}, operator)
    assert (replayed.status, replayed.json) == (200, {"letters": 1})
    assert platform.get("/v1/ops/dead-letters", operator)["items"] == []


def test_every_read_model_is_the_fold_of_its_log(upgraded: Upgraded) -> None:
    assert said(upgraded.platform, "verify")["equal"] is True


def test_all_accounts_agree(upgraded: Upgraded) -> None:
    upgraded.finance.assert_reconciled()


def test_the_story_goes_on(upgraded: Upgraded) -> None:
    """A booking of then is validated, somebody of then and somebody new book, and a fortnight is closed."""
    platform, scenario, kept = upgraded.platform, upgraded.scenario, upgraded.notes["kept"]
    actor = upgraded.token(kept["actor"])
    by_software = scenario.desk("look-up", kept["countermark"], kept["apiKey"])
    assert by_software.status == 200, by_software
    assert scenario.desk("use", kept["countermark"], actor).status == 204
    new, newcomer = scenario.young_person(), scenario.actor()
    booking = scenario.make_used_booking(newcomer, new, 1_000)
    of_then = platform.post("/v1/bookings", {"stockId": kept["book"], "quantity": 1}, new.token)
    assert of_then.status == 201, of_then
    assert scenario.desk("use", of_then.json["countermark"], actor).status == 204
    assert upgraded.finance.close_fortnight()["totalCents"] > 0
    batches = platform.get("/v1/finance/payouts", upgraded.finance.token)["items"]
    upgraded.finance.confirm_sent(batches[0])
    assert scenario.booking(new, booking["bookingId"])["status"] == "reimbursed"
    platform.advance(timedelta(days=40))
    upgraded.finance.assert_reconciled()
    assert said(platform, "verify")["equal"] is True
    assert platform.get("/v1/ops/dead-letters", platform.token("operator"))["items"] == []
