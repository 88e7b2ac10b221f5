"""Fuzzes every route of the OpenAPI document: no server error and no undocumented response.

The routes of a mode share their data; those that close, erase or move the clock come last. Each route gets a fixed
number of requests: a valid one, one with known identifiers, one by each unauthorized role, and ``EXAMPLES`` generated
ones (fewer in distributed mode, whose gateway is the same). Set ``EXAMPLES=100`` in the environment to test more.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.platform import MODES, ROOT
from tests.system.conftest import BOTH_MODES
from tests.system.fuzzing_data import FuzzingData
from tests.system.money_files import Finance

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
"""There is no dead letter to replay in these tests; tests/chaos and tests/unit/cli test these two."""


def operation(route: str) -> dict[str, Any]:
    method, path = route.split(" ")
    found: dict[str, Any] = DOCUMENT["paths"][path][method.lower()]
    return found


def routes() -> list[str]:
    """``METHOD path``; destructive routes come last."""
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
def data(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FuzzingData]:
    with MODES[request.param](tmp_path_factory.mktemp(request.param)) as platform:
        yield FuzzingData(platform)


@pytest.fixture(scope="module")
def explorer(data: FuzzingData) -> Explorer:
    from tests.system.fuzzing import Explorer  # a slow import that other runs do not need

    return Explorer(json.loads(json.dumps(DOCUMENT)), data.platform.port, data.known)


@pytest.mark.parametrize("route", routes())
def test_route_returns_only_documented_responses(data: FuzzingData, explorer: Explorer, route: str) -> None:
    path = route.split(" ")[1]
    role, others = operation(route).get("x-role"), {}
    valid = data.valid_requests.get(route)
    if valid is not None:
        explorer.send_valid(route, data.tokens.get(valid.token or "", valid.token), valid.path, valid.body)
    caller = role or ("beneficiary" if path.startswith(("/v1/me", "/v1/bookings")) else "pro")
    if (route in data.valid_requests and path.startswith("/v1/me")) or route == "DELETE /v1/me":
        caller = "leaver"
    if operation(route)["security"]:
        others = {None: 401, "not.a.token": 401}
        if role:
            others |= {token: 403 for other, token in data.tokens.items() if other != role}
    token = data.tokens[caller] if operation(route)["security"] else None
    disposable = data.disposable if path.startswith(("/v1/staff", "/v1/ops")) and not route.startswith("GET") else {}
    mode = "distributed" if data.platform.is_distributed else "embedded"
    explorer.explore(route, token, others, EXAMPLES[mode], disposable)


def test_every_route_was_called_and_the_platform_is_healthy(data: FuzzingData, explorer: Explorer) -> None:
    assert {route for route in routes() if not explorer.requests.get(route)} == set()
    assert set(data.valid_requests) <= set(routes())
    without_success = {
        route for route, statuses in explorer.statuses.items() if not any(status < 300 for status in statuses)
    }
    assert without_success == WITHOUT_SUCCESS
    data.platform.wait_idle()
    assert data.platform.call("GET", "/health/ready").status == 200
    assert data.platform.get("/v1/ops/dead-letters", data.tokens["operator"])["items"] == []
    Finance(data.platform).assert_reconciled()
    lines = [line for log in data.platform.folder.glob("*.log") for line in log.read_text("utf-8").splitlines()]
    assert [line for line in lines if '"level": "error"' in line or "Traceback" in line] == []
