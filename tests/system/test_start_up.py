"""A platform that cannot start prints one line with the reason to standard error and exits with a code other than 0."""

from __future__ import annotations

import fcntl
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.fork_server import fork_server
from tests.platform import PASSCULTURE, POOL_SIZE, ROOT, environment_with, free_port, namespace_of, remove_topology
from tests.servers import AMQP, DATABASE, own_database
from tests.waiting import TIMEOUT_SECONDS, wait_until

NOWHERE = "127.0.0.1:1"


def run(state: Path, *arguments: str, stdin: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    environment = environment_with({"STATE_DIR": str(state), "PORT": str(free_port()), **settings})
    return fork_server().run(arguments or ("run",), environment, stdin)


def assert_fails(ended: subprocess.CompletedProcess[str], pattern: str) -> None:
    """With one line on standard error that matches the pattern."""
    assert ended.returncode not in (0, None), ended.stdout
    lines = ended.stderr.strip().splitlines()
    assert len(lines) == 1, ended.stderr
    assert re.search(pattern, lines[0]), lines[0]
    assert "ready" not in ended.stdout


@pytest.mark.parametrize(
    ("settings", "pattern"),
    [
        ({"DATABASE_URL": "mysql://root@localhost/pass"}, "DATABASE_URL.*postgresql"),
        ({"DATABASE_URL": "not a url"}, "DATABASE_URL"),
        ({"DATABASE_URL": f"postgresql+psycopg2://postgres@{NOWHERE}/pass"}, "(?i)refused.*"),
        ({"AMQP_URI": "http://localhost"}, "AMQP_URI"),
        ({"AMQP_URI": f"amqp://guest:guest@{NOWHERE}//"}, "AMQP_URI.*RabbitMQ cannot be reached"),
        ({"CLOCK": "yesterday"}, "CLOCK.*yesterday"),
        ({"CLOCK": "2021-11-02T09:00:00"}, "CLOCK"),
        ({"RANDOM_SEED": "7"}, "RANDOM_SEED.*simulated clock"),
        ({"PORT": "http"}, "PORT.*http"),
        ({"PORT": "70000"}, "PORT.*70000"),
        ({"PAYOUT_PERIOD": "month"}, "PAYOUT_PERIOD.*month"),
        ({"DEBTOR_IBAN": "FR00"}, "DEBTOR_IBAN"),
        ({"SIGNING_KEY": "short"}, "SIGNING_KEY"),
        ({"POOL_SIZE": "1"}, "POOL_SIZE.*'1'.*2 to 1000"),
        ({"MAIL_URL": "pop3://example.org"}, "MAIL_URL"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_invalid_setting_is_reported(tmp_path: Path, settings: dict[str, str], pattern: str) -> None:
    assert_fails(run(tmp_path, **settings), pattern)


def test_secret_is_not_printed(tmp_path: Path) -> None:
    ended = run(tmp_path, AMQP_URI="http://someone:in-confidence@localhost")
    assert_fails(ended, "AMQP_URI")
    assert "in-confidence" not in ended.stdout + ended.stderr


def test_unknown_service_is_reported(tmp_path: Path) -> None:
    assert_fails(run(tmp_path, "run", "--service", "bank"), "--service.*bank")


def test_port_in_use_is_reported(tmp_path: Path) -> None:
    with listening_port() as port:
        assert_fails(run(tmp_path, PORT=str(port)), f"PORT.*{port} is in use")


@contextmanager
def listening_port() -> Iterator[int]:
    with socket.socket() as port_in_use:
        port_in_use.bind(("127.0.0.1", 0))
        port_in_use.listen()
        yield port_in_use.getsockname()[1]


def test_unwritable_state_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert_fails(run(tmp_path / "file" / "state"), "STATE_DIR")


def test_state_folder_locked_by_another_platform_is_reported(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert_fails(run(tmp_path), f"STATE_DIR: another platform runs on {tmp_path}")


def test_clock_before_the_last_event_is_reported(tmp_path: Path) -> None:
    assert run(tmp_path, "migrate").returncode == 0
    made = run(tmp_path, "staff", "create", "ops@example.org", "--role", "staff", stdin="Tous-a-l-opera-2021!\n")
    assert made.returncode == 0, made.stderr
    earlier = {"CLOCK": "2021-11-02T09:00:00Z"}
    assert_fails(run(tmp_path, **earlier), "CLOCK: 2021-11-02T09:00:00.*is before the last event of identity")
    assert_fails(
        run(tmp_path, "erase", "1", **earlier), "CLOCK: 2021-11-02T09:00:00.*is before the last event of identity"
    )


def test_folder_in_place_of_the_lock_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    assert_fails(run(tmp_path), "STATE_DIR.*directory")


@pytest.mark.distributed
@pytest.mark.parametrize("service", ["", "payout"])
def test_missing_migration_is_reported(tmp_path: Path, service: str) -> None:
    arguments = ("run", "--service", service) if service else ("run",)
    with own_database() as url:
        assert_fails(run(tmp_path, *arguments, DATABASE_URL=url, AMQP_URI=AMQP), "passculture migrate")


@pytest.mark.distributed
def test_migrate_reports_unreachable_servers(tmp_path: Path) -> None:
    nowhere = f"postgresql+psycopg2://postgres@{NOWHERE}/pass"
    assert_fails(run(tmp_path, "migrate", DATABASE_URL=nowhere, AMQP_URI=AMQP), "DATABASE_URL")
    missing = DATABASE.rsplit("/", 1)[0] + "/pc_test_no_such_database"
    assert_fails(run(tmp_path, "migrate", DATABASE_URL=missing, AMQP_URI=AMQP), "does not exist")
    with own_database() as url:
        broker = f"amqp://guest:guest@{NOWHERE}//"
        assert_fails(run(tmp_path, "migrate", DATABASE_URL=url, AMQP_URI=broker), "AMQP_URI")


@pytest.mark.distributed
def test_migrate_is_idempotent(tmp_path: Path) -> None:
    with own_database() as url:
        for _ in range(2):
            assert run(tmp_path, "migrate", DATABASE_URL=url, AMQP_URI=AMQP).returncode == 0
        remove_topology(namespace_of(url))


@pytest.mark.distributed
def test_migrate_supports_a_separate_database_for_the_keys(tmp_path: Path) -> None:
    """The encryption keys of accounts need separate backups."""
    with own_database() as url, own_database() as keys:
        settings = {"DATABASE_URL": url, "DATABASE_URL_KEYS": keys, "AMQP_URI": AMQP}
        for _ in range(2):
            migrated = run(tmp_path, "migrate", **settings)
            assert migrated.returncode == 0, migrated.stderr
        remove_topology(namespace_of(url))
        assert (schemas_of(keys), "keys" in schemas_of(url)) == ({"keys"}, False)
        elsewhere = sa.make_url(keys).set(database="pc_test_no_such_database").render_as_string(hide_password=False)
        assert_fails(run(tmp_path, "migrate", **{**settings, "DATABASE_URL_KEYS": elsewhere}), "keys.*does not exist")
        assert_fails(run(tmp_path, **{**settings, "DATABASE_URL_KEYS": elsewhere}), "keys.*does not exist")


@pytest.mark.distributed
def test_service_needs_only_its_own_database_url(tmp_path: Path) -> None:
    """Stores without a URL are SQLite files, which this service does not open."""
    with own_database() as url:
        assert_fails(
            run(tmp_path, "run", "--service", "wallet", DATABASE_URL_WALLET=url, AMQP_URI=AMQP), "migrate` first"
        )
        own = {"DATABASE_URL_WALLET": url, "AMQP_URI": AMQP, "NAMESPACE": namespace_of(url)}
        assert run(tmp_path, "migrate", **own).returncode == 0
        assert (schemas_of(url), (tmp_path / "booking.sqlite").exists()) == ({"wallet"}, True)
        environment = environment_with({"STATE_DIR": str(tmp_path), "OPS_PORT": str(free_port()), **own})
        wallet = subprocess.Popen([PASSCULTURE, "run", "--service", "wallet"], cwd=ROOT, env=environment)
        try:
            wait_until(lambda: is_live(int(environment["OPS_PORT"])))
        finally:
            wallet.terminate()
            assert wallet.wait(TIMEOUT_SECONDS) == 0
            remove_topology(namespace_of(url))


def is_live(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=TIMEOUT_SECONDS):
            return True
    except OSError:
        return False


def schemas_of(url: str) -> set[str]:
    """The schemas with tables."""
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        found = connection.execute(sa.text("SELECT schemaname FROM pg_tables WHERE schemaname !~ '^pg_|^information'"))
        return set(found.scalars())


@pytest.mark.distributed
def test_make_up_and_make_down(tmp_path: Path) -> None:
    """`make up` leaves nothing running if a port is in use; else it starts six processes. `make down` ends them."""
    with own_database() as url, listening_port() as port_in_use:
        state = str(tmp_path / "state")
        settings = {"DATABASE_URL": url, "AMQP_URI": AMQP, "STATE_DIR": state, "POOL_SIZE": POOL_SIZE}
        in_use = make(tmp_path, "up", PORT=str(port_in_use), **settings)
        assert_fails(in_use, f"PORT.*{port_in_use} is in use")
        nowhere = make(tmp_path, "up", PORT=str(free_port()), **{**settings, "OPS_PORT": str(port_in_use)})
        assert_fails(nowhere, f"did not start: .*{port_in_use} is in use")
        assert running(tmp_path) == []
        try:
            up = make(tmp_path, "up", PORT=str(free_port()), **settings)
            assert up.returncode == 0, up.stderr
            assert len(running(tmp_path)) == 6
            assert_fails(make(tmp_path, "up", PORT=str(free_port()), **settings), "already running")
        finally:
            down = make(tmp_path, "down")
            remove_topology(namespace_of(url))
        assert (down.returncode, down.stderr, running(tmp_path)) == (0, "", [])
        assert down.stdout == "stopped: identity, catalog, booking, wallet, payout, gateway\n"
        assert make(tmp_path, "down").stdout == "no process of `make up` is running\n"


def make(folder: Path, target: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.local", target],
        cwd=folder,
        env={**environment_with(settings), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def running(folder: Path) -> list[str]:
    """The processes whose working directory is the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").resolve() == folder and (process / "cmdline").read_bytes():
                found.append(process.name)
        except OSError:
            pass  # it has ended meanwhile
    return found
