"""Every route of the OpenAPI document, asked rightly and wrongly by everybody: no server error, no undocumented answer.

One town for each mode, which the routes change as they are asked; those that close, erase or move time come last. Its
length is bounded by the number of requests, the same each time: one that must succeed, one about what is known, one by
each who may not, and ``EXAMPLES`` made up (fewer in distributed mode, whose gateway is the same). The environment's
``EXAMPLES=100`` looks further.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.platform import MODES, ROOT
from tests.system.conftest import BOTH_MODES
from tests.system.money_files import Finance
from tests.system.town import Town

if TYPE_CHECKING:
    from tests.system.fuzzing import Explorer

pytestmark = pytest.mark.slow

EXAMPLES = {mode: int(os.environ.get("EXAMPLES", number)) for mode, number in (("embedded", 4), ("distributed", 1))}
DOCUMENT: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8"))
LAST = ("/close", "/reject", "/suspend", "/erase", "/deactivate", "DELETE", "/password", "/email", "/cancel")
WITHOUT_SUCCESS = {
    "POST /v1/ops/dead-letters/{letter_id}/replay",
    "POST /v1/ops/dead-letters/{letter_id}/discard",
}
"""Nothing fails here that could be replayed: tests/chaos and tests/unit/cli show these two."""


def operation(route: str) -> dict[str, Any]:
    method, path = route.split(" ")
    found: dict[str, Any] = DOCUMENT["paths"][path][method.lower()]
    return found


def routes() -> list[str]:
    """``METHOD path``, in an order that leaves something to ask for."""
    found = [
        f"{method.upper()} {path}"
        for path, operations in DOCUMENT["paths"].items()
        for method, one in operations.items()
        if isinstance(one, dict) and "responses" in one
    ]
    return sorted(
        found,
        key=lambda route: (
            "/clock" in route,
            any(word in route for word in LAST),
            not route.startswith("GET"),
            "/v1/" in route,
        ),
    )


@pytest.fixture(scope="module", params=BOTH_MODES)
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with MODES[request.param](tmp_path_factory.mktemp(request.param)) as platform:
        yield Town(platform)


@pytest.fixture(scope="module")
def explorer(town: Town) -> Explorer:
    from tests.system.fuzzing import Explorer  # here: its imports are a second, in which no other run has an interest

    return Explorer(json.loads(json.dumps(DOCUMENT)), town.platform.port, town.known)


@pytest.mark.parametrize("route", routes())
def test_nothing_undocumented_is_answered(town: Town, explorer: Explorer, route: str) -> None:
    path = route.split(" ")[1]
    role, others = operation(route).get("x-role"), {}
    right = town.rights.get(route)
    if right is not None:
        explorer.ask_rightly(route, town.tokens.get(right.token or "", right.token), right.path, right.body)
    asks = role or ("beneficiary" if path.startswith(("/v1/me", "/v1/bookings")) else "pro")
    if (route in town.rights and path.startswith("/v1/me")) or route == "DELETE /v1/me":
        asks = "leaver"
    if operation(route)["security"]:
        others = {None: 401, "not.a.token": 401}
        if role:
            others |= {token: 403 for of, token in town.tokens.items() if of != role}
    token = town.tokens[asks] if operation(route)["security"] else None
    spare = town.spare if path.startswith(("/v1/staff", "/v1/ops")) and not route.startswith("GET") else {}
    mode = "distributed" if town.platform.is_distributed else "embedded"
    explorer.explore(route, token, others, EXAMPLES[mode], spare)


def test_every_route_was_asked_and_could_be_answered_and_all_is_well_afterwards(town: Town, explorer: Explorer) -> None:
    assert {route for route in routes() if not explorer.asked.get(route)} == set()
    assert set(town.rights) <= set(routes())
    unanswered = {
        route for route, statuses in explorer.answered.items() if not any(status < 300 for status in statuses)
    }
    assert unanswered == WITHOUT_SUCCESS
    town.platform.wait_idle()
    assert town.platform.call("GET", "/health/ready").status == 200
    assert town.platform.get("/v1/ops/dead-letters", town.tokens["operator"])["items"] == []
    Finance(town.platform).assert_reconciled()
    said = [line for log in town.platform.folder.glob("*.log") for line in log.read_text("utf-8").splitlines()]
    assert [line for line in said if '"level": "error"' in line or "Traceback" in line] == []
