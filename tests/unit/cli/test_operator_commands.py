"""Operators' commands while no platform runs: they open the stores directly."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import typer

from shared.cli import operator_commands
from shared.cli.access import StoreAccess, open_platform
from shared.eventstore import Message
from shared.eventstore.outcomes import Call
from shared.hosting.platform import CannotStart, migrate_embedded
from shared.kernel.identifiers import stream_id
from shared.projections.rebuilding import Progress
from shared.runtime.settings import SERVICES, Settings

ZOE = 7
NOW = "2021-11-02T09:00:00Z"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six stores; wallet's contains a credit, a reservation, and a dead letter."""
    folder = tmp_path_factory.mktemp("state")
    settings = Settings.from_environment({"STATE_DIR": str(folder), "CLOCK": NOW})
    migrate_embedded(settings, SERVICES)
    wallet = StoreAccess(settings).processes["wallet"]
    for consumer in wallet.consumers.values():
        consumer.start()
        consumer.epoch = "other"
    activated = {"personId": ZOE, "kind": "age-18", "age": 18, "birthDate": None, "activatedAt": NOW}
    wallet.consumers["identity"].handle([message("identity", "BeneficiaryActivated", 1, activated)])
    wallet.bus.send_command("wallet", "reserve", {"bookingId": 1, "attempt": 1, "personId": ZOE, **amount_of(25_50)})
    never_reserved = {"bookingId": 5, "attempt": 1, "personId": ZOE, "totalCents": 9_00, "usedAt": NOW}
    wallet.consumers["booking"].handle([message("booking", "CountermarkValidated", 1, never_reserved)])
    wallet.store.engine.dispose()
    return folder


@pytest.fixture(autouse=True)
def _environment(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIR", str(state))
    monkeypatch.setenv("CLOCK", NOW)
    for name in ("DATABASE_URL", "AMQP_URI", "RANDOM_SEED"):
        monkeypatch.delenv(name, raising=False)


def amount_of(amount: int) -> dict[str, Any]:
    return {"amountCents": amount, "digital": False, "physical": False}


def message(source: str, name: str, position: int, data: dict[str, Any]) -> Message:
    return Message.from_wire(
        {
            "id": f"{source}:other:{position}",
            "source": source,
            "name": name,
            "version": 1,
            "stream": str(stream_id(source, position)),
            "streamVersion": 1,
            "position": position,
            "previous": position - 1,
            "epoch": "other",
            "occurredAt": NOW,
            "recordedAt": NOW,
            "causationId": "test",
            "correlationId": "test",
            "data": data,
        }
    )


def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def alter(state: Path, statement: str) -> None:
    engine = sa.create_engine(f"sqlite:///{state / 'wallet.sqlite'}")
    with engine.begin() as connection:
        assert connection.execute(sa.text(statement)).rowcount == 1
    engine.dispose()


def test_reconcile_reports_a_balance_to_the_cent(capsys: pytest.CaptureFixture[str]) -> None:
    operator_commands.reconcile(as_json=True)
    assert printed(capsys)["balanced"] is True
    operator_commands.reconcile()
    positions = r"payout at \d+, wallet at \d+"
    output = capsys.readouterr().out
    assert re.fullmatch(rf"balanced to the cent: \d+ days; {positions}; booking as consumed by {positions}\n", output)


def test_reconcile_fails_on_a_difference_of_one_cent(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alter(state, "UPDATE attempts SET amount = amount + 1")
    try:
        with pytest.raises(typer.Exit) as ended:
            operator_commands.reconcile()
    finally:
        alter(state, "UPDATE attempts SET amount = amount - 1")
    assert ended.value.exit_code == 1
    assert "NOT BALANCED" in capsys.readouterr().out


def test_projections_lists_read_models_and_consumer_positions(capsys: pytest.CaptureFixture[str]) -> None:
    operator_commands.projections(as_json=True)
    found = printed(capsys)
    assert {"wallet.balances", "wallet.ledger-entries"} <= {model["name"] for model in found["items"]}
    up_to_date = {"behind": 0, "lagSeconds": 0.0}
    assert {"service": "wallet", "source": "booking", "position": 1, "head": 0, **up_to_date} in found["sources"]
    operator_commands.projections()
    assert "wallet.balances" in capsys.readouterr().out


def test_projections_reports_consumer_lag(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    identity = StoreAccess(Settings.from_environment())
    for number in (1, 2):
        identity.create_staff(
            {"email": f"s{number}@example.org", "password": "Tous-a-l-opera-2021!", "roles": ["staff"]}
        )
    published = identity.processes["identity"].store.messages(1, 100)
    assert published
    monkeypatch.setenv("CLOCK", "2021-11-02T10:00:00Z")
    operator_commands.projections(as_json=True)
    (wallet,) = [one for one in printed(capsys)["sources"] if (one["service"], one["source"]) == ("wallet", "identity")]
    assert (wallet["behind"], wallet["lagSeconds"]) == (len(published), 3600.0)
    operator_commands.projections()
    assert f"{len(published)} behind, for 3600 s" in capsys.readouterr().out


def test_verify_and_diff_find_a_wrong_row_and_replay_repairs_it(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    operator_commands.verify()
    alter(state, "UPDATE ledger_entries SET balance = 0 WHERE entry_id = 3")
    capsys.readouterr()
    with pytest.raises(typer.Exit) as ended:
        operator_commands.verify(as_json=True)
    assert ended.value.exit_code == 1
    found = printed(capsys)
    assert found["equal"] is False
    assert [name for name, rows in found["projections"].items() if rows] == ["wallet.ledger-entries"]
    with pytest.raises(typer.Exit):
        operator_commands.diff("wallet.ledger-entries")
    assert "1 rows differ" in capsys.readouterr().out
    operator_commands.replay("wallet.ledger-entries", as_json=True)
    assert printed(capsys) == {"projection": "wallet.ledger-entries", "rows": 2}
    operator_commands.diff("wallet.ledger-entries")


def test_streams_lists_the_events_of_a_stream(capsys: pytest.CaptureFixture[str]) -> None:
    operator_commands.streams("wallet", str(ZOE), as_json=True)
    found = printed(capsys)
    assert found["service"] == "wallet"
    assert [event["name"] for event in found["items"]] == ["Wallet.Opened", "Wallet.Granted", "Wallet.Reserved"]
    operator_commands.streams(found["streamId"])
    assert "Wallet.Reserved" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command",
    [
        lambda: operator_commands.streams("wallet", "999"),
        lambda: operator_commands.streams("no-such-stream"),
        lambda: operator_commands.diff("wallet.nothing"),
        lambda: operator_commands.diff("nobody.balances"),
        lambda: operator_commands.replay("balances"),
        lambda: operator_commands.dead_letters("replay", "wallet-99"),
        lambda: operator_commands.dead_letters("discard", "nobody-1"),
        lambda: operator_commands.dead_letters("discard", "wallet-" + "9" * 30),
        lambda: operator_commands.dead_letters("bury", "wallet-1"),
        lambda: operator_commands.dead_letters("replay"),
    ],
)
def test_an_unknown_name_is_refused_in_one_line(command: Any) -> None:
    with pytest.raises(SystemExit) as ended:
        command()
    line = str(ended.value.code)
    assert line.startswith("passculture: ")
    assert "\n" not in line


def test_dead_letters_are_listed_replayed_and_discarded(capsys: pytest.CaptureFixture[str]) -> None:
    operator_commands.dead_letters(as_json=True)
    (letter,) = printed(capsys)["items"]
    assert (letter["service"], letter["message"], letter["state"]) == ("wallet", "CountermarkValidated", "failed")
    with pytest.raises(SystemExit):
        operator_commands.dead_letters("replay", letter["id"])  # it fails again and stays a dead letter
    operator_commands.dead_letters()
    assert "was never reserved" in capsys.readouterr().out
    operator_commands.dead_letters("discard", letter["id"], as_json=True)
    assert printed(capsys) == {"letters": 1}
    operator_commands.dead_letters(as_json=True)
    assert printed(capsys) == {"items": []}
    with pytest.raises(SystemExit):
        operator_commands.dead_letters("discard", letter["id"])


def test_a_missing_state_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="no platform runs"):
        open_platform(Settings.from_environment({"STATE_DIR": str(tmp_path)}))


def test_a_stale_address_file_is_ignored(state: Path) -> None:
    (state / "address").write_text("http://127.0.0.1:9")
    assert isinstance(open_platform(Settings.from_environment({"STATE_DIR": str(state)})), StoreAccess)
    (state / "address").unlink()


def test_a_rebuild_reports_its_progress(state: Path) -> None:
    platform = StoreAccess(Settings.from_environment({"STATE_DIR": str(state), "CLOCK": NOW}))
    wallet = platform.processes["wallet"]
    progress = wallet.rebuilds["balances"] = Progress(position=25, head=100)
    progress.began -= 10
    (model,) = (model for model in platform.projections()["items"] if model["name"] == "wallet.balances")
    assert operator_commands.progress_of(model) == ", being rebuilt: 25 of 100, 30 s left"
    wallet.commands.decide([Call("rebuild-projection", {"name": "balances"}, None, None)])
    assert wallet.rebuilds == {}


def test_restored_starts_a_new_epoch_and_follow_resets_the_position(capsys: pytest.CaptureFixture[str]) -> None:
    operator_commands.restored(["identity", "wallet"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": history ")[0] for line in lines] == ["identity", "wallet"]
    operator_commands.follow("wallet", "identity", None)
    assert capsys.readouterr().out.startswith("wallet follows identity from ")
    with pytest.raises(SystemExit, match="est déjà suivi"):
        operator_commands.follow("wallet", "identity", 99)
    operator_commands.follow("", "", None)
    assert "payout follows booking from 0 on" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command",
    [
        lambda: operator_commands.restored(["nobody"]),
        lambda: operator_commands.follow("wallet", "nobody", None),
        lambda: operator_commands.follow("wallet", "payout", None),
        lambda: operator_commands.follow("wallet", "", 5),
    ],
)
def test_restored_and_follow_refuse_invalid_names(command: Any) -> None:
    with pytest.raises(SystemExit) as ended:
        command()
    assert str(ended.value.code).startswith("passculture: ")
