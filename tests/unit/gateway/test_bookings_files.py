"""The list of bookings as XLSX and CSV: the same rows in both, and no text that a spreadsheet takes for a formula."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from services.gateway.web.responses.bookings_files import HEADER, bookings_csv, bookings_xlsx
from services.gateway.web.routes import pro
from tests.spreadsheets import cells

NOW = datetime(2021, 11, 2, 9, tzinfo=UTC)
ROW: dict[str, Any] = {
    "bookingId": 1,
    "offerName": "Concert",
    "venueName": "Salle & Fils <1>",
    "timezone": "America/Cayenne",
    "beginningAt": "2021-11-10T19:00:00Z",
    "firstName": "Zoé",
    "lastName": "Martin",
    "email": "zoe@example.org",
    "phoneNumber": "+33612345678",
    "bookedAt": "2021-11-02T09:00:00Z",
    "countermark": "2E4567",
    "status": "booked",
    "unitPriceCents": 1050,
    "usedAt": None,
    "reimbursedAt": None,
}
FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "{=1+1}",
    "\t=1+1",
    "https://example.org",
    "0012",
    "1e5",
    "<b>&amp;",
]


def test_prices_are_numbers_and_all_other_cells_are_text() -> None:
    header, row = cells(bookings_xlsx([ROW], NOW))
    assert tuple(header) == HEADER
    assert row == [
        "Salle & Fils <1>",
        "Concert",
        "2021-11-10 16:00:00-03:00",
        "",
        "Martin Zoé",
        "zoe@example.org",
        "+33612345678",
        "2021-11-02 06:00:00-03:00",
        "",
        "2E4567",
        Decimal("10.5"),
        "réservé",
        "",
    ]


@pytest.mark.parametrize("text", FORMULAS)
def test_user_input_is_never_a_formula(text: str) -> None:
    row = {**ROW, "offerName": text, "venueName": text, "lastName": text, "firstName": "", "email": text}
    _, shown = cells(bookings_xlsx([row], NOW))
    assert [shown[0], shown[1], shown[5]] == [text] * 3
    assert shown[4] == text.strip()


def test_both_files_have_the_same_rows() -> None:
    rows = [
        {**ROW, "bookingId": number, "unitPriceCents": number * 33, "usedAt": ROW["bookedAt"]} for number in range(50)
    ]
    written = list(csv.reader(io.StringIO(bookings_csv(rows))))
    shown = [
        [f"{one:.2f}" if isinstance(one, Decimal) else one for one in row] for row in cells(bookings_xlsx(rows, NOW))
    ]
    assert shown == written


def test_the_file_depends_on_its_rows_only() -> None:
    assert bookings_xlsx([ROW], NOW) == bookings_xlsx([ROW], NOW)
    assert len(cells(bookings_xlsx([], NOW))) == 1


def test_the_file_passes_the_filters_and_reads_every_page(platform: Any, signed_in: Any) -> None:
    pages = {None: {"items": [ROW], "nextCursor": "c"}, "c": {"items": [ROW, ROW], "nextCursor": None}}
    platform.answers("booking", "recap", lambda data, _: pages[data.get("cursor")])
    query = {"venueId": 4, "periodFrom": "2021-11-01", "periodTo": "2021-11-30", "offerName": "Concert"}
    answer = platform.client.get("/v1/pro/bookings.xlsx", query_string=query, headers=signed_in("pro"))
    assert len(cells(answer.data)) == 4
    assert answer.headers["Content-Type"] == pro.XLSX
    assert answer.headers["Content-Disposition"] == 'attachment; filename="reservations_pass_culture.xlsx"'
    filters = {name: value for name, value in query.items() if name != "venueId"}
    assert platform.called("recap") == [{**filters, "venueIds": [4]}, {"cursor": "c"}]
    assert platform.client.get("/v1/pro/bookings.xlsx", headers=signed_in("staff")).status_code == 403


@pytest.mark.parametrize("name", ["bookings.csv", "bookings.xlsx"])
def test_a_file_of_too_many_rows_is_refused(
    platform: Any, signed_in: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(pro, "MAX_FILE_ROWS", 40)  # the real bound takes seconds to write
    many = {"items": [ROW] * 11, "nextCursor": "c"}
    platform.answers("booking", "recap", lambda *_: many)
    answer = platform.client.get(f"/v1/pro/{name}", headers=signed_in("pro"))
    assert (answer.status_code, answer.json["code"]) == (422, "invalid")
    assert list(answer.json["errors"]) == ["periodFrom"]
