"""Reads composed from several services, lists with cursors, and files."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
from typing import Any

from services.gateway.application.simulation import SERVICES
from services.gateway.web.responses.bookings_files import HEADER, bookings_csv
from services.gateway.web.responses.cursors import TAG_BYTES
from shared.kernel.errors import Invalid

PROFILE = {
    "accountId": 11,
    "email": "zoe@example.org",
    "firstName": "Zoé",
    "lastName": "Martin",
    "birthDate": "2003-06-15",
    "roles": ["beneficiary"],
    "status": "active",
    "eligibility": None,
    "nextStep": None,
}
LETTER = {
    "source": "booking",
    "stream": "x",
    "position": 4,
    "message": "CountermarkValidated",
    "error": "was never reserved",
    "state": "failed",
    "recordedAt": "2021-11-02T09:00:00Z",
}
CREDIT = {
    "creditId": 1,
    "kind": "age-18",
    "grantedCents": 30000,
    "remainingCents": 27450,
    "digital": {"capCents": 10000, "remainingCents": 10000},
    "physical": None,
    "grantedAt": "2021-11-02T09:00:00Z",
    "expiresAt": "2023-11-02T09:00:00Z",
}
ROW = {
    "bookingId": 1,
    "stockId": 2,
    "offerId": 3,
    "offerName": "=Concert",
    "venueId": 4,
    "venueName": "Salle",
    "timezone": "America/Cayenne",
    "beginningAt": "2021-11-10T19:00:00Z",
    "firstName": "Zoé",
    "lastName": "Martin",
    "email": "zoe@example.org",
    "phoneNumber": None,
    "countermark": None,
    "bookedAt": "2021-11-02T09:00:00Z",
    "usedAt": None,
    "reimbursedAt": None,
    "unitPriceCents": 1050,
    "isDuo": False,
    "status": "booked",
    "statusHistory": [{"status": "booked", "date": "2021-11-02T09:00:00Z"}],
}


def test_me_combines_the_profile_and_the_credit(platform: Any, signed_in: Any) -> None:
    platform.answers("identity", "me", PROFILE)
    platform.answers("wallet", "credit", {"current": CREDIT, "credits": [CREDIT]})
    answer = platform.client.get("/v1/me", headers=signed_in("beneficiary"))
    assert answer.json == {**PROFILE, "credit": {**CREDIT, "credits": [CREDIT]}}
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_account_without_credit(platform: Any, signed_in: Any) -> None:
    platform.answers("identity", "me", PROFILE)
    platform.answers("wallet", "credit", {"current": None, "credits": []})
    assert platform.client.get("/v1/me", headers=signed_in()).json["credit"] is None
    answer = platform.client.get("/v1/me/credit?asOf=2021-01-01T00:00:00Z", headers=signed_in())
    assert (answer.json["grantedCents"], answer.json["credits"], answer.json["kind"]) == (0, [], None)
    assert platform.called("credit")[-1] == {"personId": 11, "asOf": "2021-01-01T00:00:00Z"}


def test_offerers_include_venues_and_the_counters_of_two_services(platform: Any, signed_in: Any) -> None:
    offerer = {"siren": "1", "name": "S", "status": "validated"}
    platform.answers(
        "identity",
        "offerers",
        {
            "items": [
                {"offererId": 5, "attachment": "approved", **offerer},
                {"offererId": 6, "attachment": "pending", **offerer},
            ]
        },
    )
    venue = {"venueId": 8, "offererId": 5, "name": "V", "siret": None, "kind": "digital", "status": "open"}
    platform.answers("catalog", "venues", {"items": [venue]})
    platform.answers("catalog", "counters", {"8": {"activeOffers": 2}})
    platform.answers("booking", "counters", {"8": {"ongoingBookings": 1, "validatedBookings": 3, "soldOutOffers": 0}})
    items = platform.client.get("/v1/pro/offerers", headers=signed_in("pro")).json["items"]
    counters = {"activeOffers": 2, "ongoingBookings": 1, "validatedBookings": 3, "soldOutOffers": 0}
    assert items[0]["venues"] == [{**venue, "counters": counters}]
    assert items[1]["venues"] == []
    assert platform.called("venues") == [{"offererIds": [5]}]
    assert platform.client.get("/v1/pro/offerers/6", headers=signed_in("pro")).json["offererId"] == 6
    assert platform.client.get("/v1/pro/offerers/7", headers=signed_in("pro")).status_code == 404


def test_a_cursor_contains_its_filters_and_is_valid_for_its_list_only(platform: Any, signed_in: Any) -> None:
    platform.answers("booking", "bookings", {"items": [], "nextCursor": "owners-own"})
    headers = signed_in()
    cursor = platform.client.get("/v1/me/bookings?status=ended&limit=5", headers=headers).json["nextCursor"]
    assert "owner" not in cursor
    assert platform.client.get(f"/v1/me/bookings?cursor={cursor}", headers=headers).status_code == 200
    assert platform.called("bookings") == [
        {"status": "ended", "limit": 5},
        {"status": "ended", "cursor": "owners-own"},
    ]
    for query in (f"cursor={cursor}&status=ongoing", "cursor=broken", "cursor=e30", "cursor=bnVsbA"):
        answer = platform.client.get(f"/v1/me/bookings?{query}", headers=headers)
        assert (answer.status_code, answer.json["code"]) == (422, "cursor-invalid"), query
    answer = platform.client.get(f"/v1/me/credit/entries?cursor={cursor}", headers=headers)
    assert (answer.status_code, answer.json["code"]) == (422, "cursor-invalid")


def test_a_forged_cursor_is_refused(platform: Any, signed_in: Any) -> None:
    platform.answers("booking", "bookings", {"items": [], "nextCursor": "owners-own"})
    headers = signed_in()
    cursor = platform.client.get("/v1/me/bookings", headers=headers).json["nextCursor"]
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    content = raw[TAG_BYTES:]
    assert json.loads(content) == ["/v1/me/bookings", {}, "owners-own"]
    tampered = [raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :] for at in range(len(raw))]
    hashed = hashlib.sha256(content).digest()[:TAG_BYTES] + content
    unsigned = [content, bytes(TAG_BYTES) + content, hashed, raw[:TAG_BYTES], b""]
    for forged in (*tampered, *unsigned):
        text = base64.urlsafe_b64encode(forged).decode().rstrip("=")
        answer = platform.client.get(f"/v1/me/bookings?cursor={text}", headers=headers)
        assert (answer.status_code, answer.json["code"]) in ((422, "cursor-invalid"), (422, "invalid")), forged
    assert len(platform.called("bookings")) == 1, "a refused cursor sends no query"
    assert platform.client.get(f"/v1/me/bookings?cursor={cursor}", headers=headers).status_code == 200


def test_the_dead_letters_of_all_services_are_paginated(platform: Any, signed_in: Any) -> None:
    counts = {"identity": 3, "wallet": 4, "gateway": 1}

    def letters(service: str) -> Any:
        def answer(data: dict[str, Any], _: Any) -> dict[str, Any]:
            ids = [number for number in range(10, 10 + counts.get(service, 0)) if number > data["after"]]
            return {"items": [{**LETTER, "id": number} for number in ids[: data["limit"]]]}

        return answer

    for service in SERVICES:
        platform.answers(service, "dead-letters", letters(service))
    seen: list[str] = []
    address = "/v1/ops/dead-letters?limit=3"
    for expected in (3, 3, 2):
        page = platform.client.get(address, headers=signed_in("operator")).json
        assert len(page["items"]) == expected
        seen += [item["id"] for item in page["items"]]
        address = f"/v1/ops/dead-letters?limit=3&cursor={page['nextCursor']}"
    assert page["nextCursor"] is None
    assert seen == [f"{service}-{10 + at}" for service in SERVICES for at in range(counts.get(service, 0))]


def test_a_cursor_refused_by_its_service_is_refused(platform: Any, signed_in: Any) -> None:
    platform.answers("booking", "bookings", Invalid("not mine"))
    assert platform.client.get("/v1/me/bookings", headers=signed_in()).status_code == 422


def test_finance_events_are_flat_json_lines(platform: Any, signed_in: Any) -> None:
    message = {
        "id": "x",
        "name": "BookingPriced",
        "version": 1,
        "position": 4,
        "occurredAt": "2021-11-02T09:00:00Z",
        "data": {"lineId": 1, "name": "does not replace the message's"},
    }
    platform.answers("payout", "log", {"epoch": "e", "messages": [message, {**message, "position": 9}]})
    answer = platform.client.get("/v1/finance/events?after=3&limit=2", headers=signed_in("finance"))
    assert answer.headers["Content-Type"].startswith("application/x-ndjson")
    lines = [json.loads(line) for line in answer.data.splitlines()]
    assert [(line["position"], line["name"], line["lineId"]) for line in lines] == [
        (4, "BookingPriced", 1),
        (9, "BookingPriced", 1),
    ]
    assert platform.called("log") == [{"after": 3, "limit": 2}]
    answer = platform.client.get("/v1/finance/events?after=-5", headers=signed_in("finance"))
    assert (answer.status_code, answer.json["code"]) == (422, "invalid")


def test_long_polling_waits_for_the_next_event(platform: Any, signed_in: Any) -> None:
    pages = iter([[], [], [{"name": "N", "version": 1, "position": 1, "occurredAt": "t", "data": {}}]])
    platform.answers("payout", "log", lambda *_: {"epoch": "e", "messages": next(pages)})
    answer = platform.client.get("/v1/finance/events?wait=30", headers=signed_in("finance"))
    assert len(answer.data.splitlines()) == 1
    assert len(platform.slept) == 2


def test_the_qr_code_is_404_without_its_content(platform: Any, signed_in: Any) -> None:
    platform.answers("booking", "booking", {"qrCode": "PASSCULTURE:v3;TOKEN:ABCDEF", "countermark": "ABCDEF"})
    answer = platform.client.get("/v1/me/bookings/3/qr.svg", headers=signed_in())
    assert answer.headers["Content-Type"].startswith("image/svg+xml")
    assert b"<svg" in answer.data and b"ABCDEF" in answer.data
    platform.answers("booking", "booking", {"qrCode": None, "countermark": "ABCDEF"})
    assert platform.client.get("/v1/me/bookings/3/qr.svg", headers=signed_in()).status_code == 404


def test_a_csv_file_has_its_charset_and_name(platform: Any, signed_in: Any) -> None:
    platform.answers("payout", "reimbursements-csv", {"text": "\ufeffAnnée;Virement\r\n"})
    answer = platform.client.get("/v1/pro/reimbursements.csv", headers=signed_in("pro"))
    assert answer.data == "\ufeffAnnée;Virement\r\n".encode()
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="remboursements_pass_culture.csv"'
    assert platform.called("reimbursements-csv") == [{"columns": 16}]
    older_format = "/v1/pro/reimbursements.csv?columns=14&asOf=2021-11-02T09:00:00Z"
    assert platform.client.get(older_format, headers=signed_in("pro")).status_code == 200
    assert platform.called("reimbursements-csv")[-1] == {"columns": 14, "asOf": "2021-11-02T09:00:00Z"}
    answer = platform.client.get("/v1/pro/reimbursements.csv?columns=13", headers=signed_in("pro"))
    assert answer.status_code == 422


def test_the_file_of_balances_reads_every_page(platform: Any, signed_in: Any) -> None:
    parts = {None: {"text": "\ufeffID\r\n7\r\n", "nextCursor": "c"}, "c": {"text": "8\r\n", "nextCursor": None}}
    platform.answers("payout", "wallets-csv", lambda data, _: parts[data.get("cursor")])
    answer = platform.client.get("/v1/finance/payouts/3/wallets.csv", headers=signed_in("finance"))
    assert answer.data == "\ufeffID\r\n7\r\n8\r\n".encode()
    assert answer.headers["Content-Disposition"] == 'attachment; filename="VIR3-wallets.csv"'
    assert platform.called("wallets-csv") == [{"batchId": 3}, {"batchId": 3, "cursor": "c"}]
    assert platform.client.get("/v1/finance/payouts/3/wallets.csv", headers=signed_in("staff")).status_code == 403


def test_the_bookings_file_reads_every_page(platform: Any, signed_in: Any) -> None:
    pages = {
        None: {"items": [ROW], "total": 2, "nextCursor": "c"},
        "c": {"items": [ROW], "total": 2, "nextCursor": None},
    }
    platform.answers("booking", "recap", lambda data, _: pages[data.get("cursor")])
    answer = platform.client.get("/v1/pro/bookings.csv?venueId=4", headers=signed_in("pro"))
    rows = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert (tuple(rows[0]), len(rows)) == (HEADER, 3)
    assert platform.called("recap") == [{"venueIds": [4]}, {"cursor": "c"}]


def test_a_row_of_the_bookings_file() -> None:
    line = bookings_csv([ROW]).splitlines()[1]
    assert line == (
        '"Salle","\'=Concert","2021-11-10 16:00:00-03:00","","Martin Zoé","zoe@example.org","",'
        '"2021-11-02 06:00:00-03:00","","",10.50,"réservé",""'
    )


def test_reference_data_may_be_cached(platform: Any) -> None:
    answer = platform.client.get("/v1/subcategories")
    assert len(answer.json["items"]) == 67
    assert "public" in answer.headers["Cache-Control"]
    again = platform.client.get("/v1/subcategories", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert platform.client.get("/v1/subcategories", headers={"If-Match": '"other"'}).status_code == 200
    settings = platform.client.get("/v1/settings").json
    assert (settings["depositAmountCents"], settings["now"]) == (30000, "2021-11-02T09:00:00Z")


def test_readiness_needs_every_service_to_answer_without_trouble(platform: Any) -> None:
    for service in ("identity", "catalog", "booking", "wallet", "payout", "gateway"):
        platform.answers(service, "health", {"service": service, "trouble": {}})
    assert platform.client.get("/health/live").json == {"status": "ok"}
    assert platform.client.get("/health/ready").json["status"] == "ok"
    platform.answers("wallet", "health", {"service": "wallet", "trouble": {"wallet relay": "broker away"}})
    answer = platform.client.get("/health/ready")
    assert (answer.status_code, answer.json["services"]["wallet"]) == (503, "trouble")
    platform.bus.away.add("payout")
    answer = platform.client.get("/health/ready")
    assert (answer.status_code, answer.json["services"]["payout"]) == (503, "away")


def test_the_clock_route_validates_and_calls_the_simulation(platform: Any, signed_in: Any) -> None:
    headers = signed_in("operator")
    for body in ({}, {"to": "2021-11-03T09:00:00Z", "advanceSeconds": 1}, {"advanceSeconds": -1}, {"to": "tomorrow"}):
        answer = platform.client.post("/v1/ops/clock", json=body, headers=headers)
        assert (answer.status_code, answer.json["code"]) == (422, "invalid"), body
    for service in ("identity", "catalog", "booking", "wallet", "payout", "gateway"):
        platform.answers(service, "timers", {"next": None, "now": "2021-11-02T09:00:00Z"})
    answer = platform.client.post("/v1/ops/clock", json={"to": "2021-11-01T09:00:00Z"}, headers=headers)
    assert (answer.status_code, answer.json["code"]) == (422, "clock-goes-back")


def test_settle_answers_the_positions(platform: Any, signed_in: Any) -> None:
    at_rest = {"published": 3, "relayed": 3, "tracked": {}, "open": 0, "now": "2021-11-02T09:00:00Z"}
    for service in ("identity", "catalog", "booking", "wallet", "payout", "gateway"):
        platform.answers(service, "positions", at_rest)
    answer = platform.client.post("/v1/ops/settle", headers=signed_in("operator"))
    assert answer.json["positions"]["wallet"] == {"published": 3, "relayed": 3, "tracked": {}, "open": 0}
