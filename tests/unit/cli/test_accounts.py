"""Commands for accounts while no platform runs: they open the stores directly."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from click.testing import Result
from typer import Typer
from typer.testing import CliRunner

from shared.cli import accounts
from shared.cli.access import StoreAccess
from shared.hosting.platform import migrate_embedded
from shared.runtime.settings import SERVICES, Settings
from shared.runtime.tokens import verify

PASSWORD = "Correct-horse-9-battery"
NOW = "2021-11-02T09:00:00Z"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    made = Settings.from_environment({"STATE_DIR": str(tmp_path_factory.mktemp("state")), "CLOCK": NOW})
    migrate_embedded(made, SERVICES)
    return made


@pytest.fixture(autouse=True)
def _environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIR", str(settings.state_dir))
    monkeypatch.setenv("CLOCK", NOW)
    for name in ("DATABASE_URL", "AMQP_URI", "RANDOM_SEED"):
        monkeypatch.delenv(name, raising=False)


def create(email: str, *roles: str, password: str = PASSWORD) -> Result:
    options = [part for role in roles for part in ("--role", role)]
    return CliRunner().invoke(accounts.staff, ["create", email, *options], input=f"{password}\n")


def test_a_staff_account_can_sign_in_and_be_erased(settings: Settings) -> None:
    made = create("ops@example.org", "staff", "finance")
    assert made.exit_code == 0 and made.output.startswith("account ")
    number = int(made.output.split()[1].rstrip(":"))
    bus = StoreAccess(settings).processes["identity"].bus
    credentials = {"email": "ops@example.org", "password": PASSWORD}
    pair = bus.send_command("identity", "sign-in", credentials).result
    claims = verify(pair["accessToken"], settings.signing_key)
    assert (claims["accountId"], claims["roles"]) == (number, ["finance", "staff"])
    eraser = Typer()
    eraser.command()(accounts.erase)
    for _ in range(2):
        assert CliRunner().invoke(eraser, [str(number)]).exit_code == 0
    person = bus.send_query("identity", "people", {"accountIds": [number]})["people"][str(number)]
    assert person["lastName"] == "effacé"
    unknown = CliRunner().invoke(eraser, ["99999"])
    assert unknown.exit_code != 0 and "Ce compte n’existe pas" in str(unknown.exception)


@pytest.mark.parametrize(
    ("email", "role", "password", "field"),
    [
        ("ops2@example.org", "boss", PASSWORD, "roles"),
        ("ops2@example.org", "staff", "weak", "password"),
        ("not an address", "staff", PASSWORD, "email"),
    ],
)
def test_an_invalid_account_is_refused_in_one_line_and_not_stored(
    settings: Settings, email: str, role: str, password: str, field: str
) -> None:
    engine = StoreAccess(settings).processes["identity"].store.engine
    count = sa.text("SELECT count(*) FROM people")
    with engine.connect() as connection:
        before = connection.execute(count).scalar_one()
    refused = create(email, role, password=password)
    assert refused.exit_code != 0 and field in str(refused.exception) and "\n" not in str(refused.exception)
    with engine.connect() as connection:
        assert connection.execute(count).scalar_one() == before
    engine.dispose()
