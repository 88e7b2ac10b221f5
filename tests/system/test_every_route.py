"""Every route of the OpenAPI document, asked rightly and wrongly by everybody: no server error, no undocumented answer.

One town, which the routes change as they are asked; those that close, erase or move time come last.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.kernel.identifiers import stream_id
from shared.kernel.time import instant_text
from tests.platform import ROOT, Platform, embedded
from tests.system.money_files import Finance
from tests.system.stage import Stage, add_document

if TYPE_CHECKING:
    from tests.system.fuzzing import Explorer

pytestmark = pytest.mark.slow

EXAMPLES = 10
DOCUMENT: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8"))
LAST = ("/close", "/reject", "/suspend", "/erase", "/clock", "/deactivate", "DELETE", "/password", "/email", "/cancel")
ENDS_AN_ACCOUNT = ("DELETE /v1/me", "POST /v1/me/suspend", "POST /v1/me/password", "POST /v1/me/email")
IBAN = "FR7630006000011234567890189"


def routes() -> list[str]:
    """``METHOD path``, in an order that leaves something to ask for."""
    found = [
        f"{method.upper()} {path}"
        for path, operations in DOCUMENT["paths"].items()
        for method, operation in operations.items()
        if isinstance(operation, dict) and "responses" in operation
    ]
    return sorted(
        found, key=lambda route: (any(word in route for word in LAST), not route.startswith("GET"), "/v1/" in route)
    )


@dataclass(frozen=True)
class Town:
    platform: Platform
    explorer: Explorer
    tokens: dict[str, str]
    """An access token for each role, and for somebody whose account may end: ``leaver``."""
    spare: dict[str, list[Any]]
    """Who and what staff may close and erase."""


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    from tests.system.fuzzing import (
        Explorer,
    )  # here: its imports are a second, in which every other run has no interest

    with embedded(tmp_path_factory.mktemp("town")) as platform:
        stage, finance = Stage(platform), Finance(platform)
        actor, other, person, leaver = stage.actor(), stage.actor(), stage.young_person(), stage.young_person()
        used = [stage.sold(actor, person, 1000) for _ in range(2)]
        batch = finance.close_fortnight()
        finance.sent(batch)
        book = stage.publish(actor, 700, 50)
        later = platform.now() + timedelta(days=20)
        concert = stage.publish(actor, 900, 50, subcategory="CONCERT", name="Concert", begins=later)
        held = [stage.booked(person, stage.publish(actor, 500).stock_id) for _ in range(2)]
        seat = stage.booked(person, concert.stock_id)
        path = f"/v1/pro/offerers/{actor.offerer_id}/bank-details"
        given = platform.post(path, {"iban": IBAN, "bic": "AGRIFRPP", "holder": "Ville"}, actor.token)
        paper = f"/v1/pro/bank-details/{given.json['bankDetailsId']}/documents"
        document = add_document(platform, paper, b"%PDF-1.7 %%EOF", actor.token)
        api_key = stage.api_key(actor)
        platform.settle()
        bookings = [*held, seat, *used]
        known = {
            "offer_id": [book.offer_id, concert.offer_id],
            "stock_id": [book.stock_id, concert.stock_id],
            "venue_id": [stage.venue(actor)],
            "offerer_id": [actor.offerer_id],
            "booking_id": [one["bookingId"] for one in bookings],
            "token": [one["countermark"] for one in bookings],
            "batch_id": [batch["batchId"]],
            "bank_details_id": [given.json["bankDetailsId"]],
            "document_id": [document.json["documentId"]],
            "establishment": [stage.siret(actor)],
            "year": [2021],
            "name": ["wallet.balances"],
            "stream_id": [str(stream_id("booking", seat["bookingId"]))],
            "prefix": [api_key.split("_")[1]],
            "stockId": [book.stock_id, concert.stock_id],
            "offerId": [concert.offer_id],
            "venueId": [stage.venue(actor)],
            "quantity": [1],
            "firstIndex": [None],
            "status": [None],
            "beginningAt": [instant_text(later)],
            "bookingLimitAt": [instant_text(later)],
            "cutoff": ["2021-11-15", "2021-11-30"],
            "periodFrom": ["2021-11-01"],
            "periodTo": ["2021-12-01"],
            "asOf": ["2021-11-20T00:00:00Z"],
            "limit": [1, 100],
            "cursor": [None],
            "iban": [IBAN],
            "bic": ["AGRIFRPP"],
            "wait": [0],
            "to": [instant_text(later)],
            "advanceSeconds": [60],
        }
        tokens = {
            **{role: platform.token(role) for role in ("staff", "finance", "operator")},
            "beneficiary": person.token,
            "pro": actor.token,
            "leaver": leaver.token,
        }
        spare = {"offerer_id": [other.offerer_id], "account_id": [stage.account_id(leaver)]}
        explorer = Explorer(json.loads(json.dumps(DOCUMENT)), platform.port, known)
        yield Town(platform, explorer, tokens, spare)


@pytest.mark.parametrize("route", routes())
def test_nothing_undocumented_is_answered(town: Town, route: str) -> None:
    method, path = route.split(" ")
    operation = DOCUMENT["paths"][path][method.lower()]
    role, others = operation.get("x-role"), {}
    asks = role or ("beneficiary" if path.startswith(("/v1/me", "/v1/bookings")) else "pro")
    if route in ENDS_AN_ACCOUNT:
        asks = "leaver"
    if operation["security"]:
        others = {None: 401, "not.a.token": 401}
        if role:
            others |= {token: 403 for of, token in town.tokens.items() if of != role}
    token = town.tokens[asks] if operation["security"] else None
    spare = town.spare if path.startswith(("/v1/staff", "/v1/ops")) else {}
    town.explorer.explore(route, token, others, EXAMPLES, spare)


def test_what_could_be_read_was_read_and_all_is_well_afterwards(town: Town) -> None:
    unread = {
        route
        for route, statuses in town.explorer.answered.items()
        if route.startswith("GET") and not any(status < 300 for status in statuses)
    }
    assert unread == set()
    town.platform.settle()
    assert town.platform.call("GET", "/health/ready").status == 200
    assert town.platform.get("/v1/ops/dead-letters", town.tokens["operator"])["items"] == []
    Finance(town.platform).reconciled()
    said = (town.platform.folder / "platform.log").read_text("utf-8")
    wrong = [line for line in said.splitlines() if '"level": "error"' in line or "Traceback" in line]
    assert wrong == []
