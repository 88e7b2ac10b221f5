"""The finance team: payouts, their files, events, establishments, custom rules, reconciliation."""

from __future__ import annotations

import time
from typing import Any

import orjson
from flask import Response

from services.gateway.schemas import finance as schemas
from services.gateway.web.audience import Audience
from services.gateway.web.calls import ask, send
from services.gateway.web.cursors import paged
from services.gateway.web.gate import gate
from shared.contracts.calls import platform as platform_calls
from shared.contracts.calls.contract import FINANCE

audience = Audience("Finance", "Payouts, their files, events, establishments, reconciliation.")

LONG_SECONDS = 110.0
"""A close of a whole country's fortnight, a reconciliation from the first event on."""

POLL_SECONDS = 0.25
CLOSING = [
    "not-caught-up",
    "cutoff-in-the-future",
    "earlier-than-last-batch",
    "cutoff-ends-no-period",
    "batch-not-closed",
    "file-not-valid",
]


@audience.endpoint(
    "POST",
    "/v1/finance/payouts/preview",
    access=FINANCE,
    body=schemas.Cutoff,
    answers=(200, schemas.Preview),
    refuses=["cutoff-ends-no-period", "earlier-than-last-batch"],
)
def preview_payout(body: dict[str, Any]) -> Any:
    """What closing would do, to the cent; changes nothing."""
    return ask("payout", "preview", body, seconds=LONG_SECONDS)


@audience.endpoint(
    "POST",
    "/v1/finance/payouts",
    access=FINANCE,
    body=schemas.Cutoff,
    answers=(201, schemas.Batch),
    refuses=CLOSING,
)
def close_payout(body: dict[str, Any]) -> Any:
    """Closes the period, after an earlier one that was interrupted: one batch per cut-off, however often asked for."""
    return send("payout", "close", body, seconds=LONG_SECONDS)


@audience.endpoint(
    "GET",
    "/v1/finance/payouts",
    access=FINANCE,
    query=schemas.PayoutsQuery,
    answers=(200, schemas.Batches),
    refuses=["cursor-invalid"],
)
def payouts(query: dict[str, Any]) -> Any:
    """The batches, newest first."""
    return paged("payouts", query, lambda asked: ask("payout", "payouts", asked))


@audience.endpoint(
    "GET",
    "/v1/finance/payouts/<number:batch_id>",
    access=FINANCE,
    answers=(200, schemas.BatchWithTransfers),
    refuses=["batch-not-found"],
)
def payout(batch_id: int) -> Any:
    """One batch."""
    return ask("payout", "payout", {"batchId": batch_id})


@audience.endpoint(
    "GET",
    "/v1/finance/payouts/<number:batch_id>/transfers.xml",
    access=FINANCE,
    media_type="application/xml",
    refuses=["batch-not-found", "no-transfers", "file-not-valid"],
)
def transfers_file(batch_id: int) -> Any:
    """The transfers as pain.001, valid against its schema; the same bytes for ever."""
    answer = ask("payout", "transfers-xml", {"batchId": batch_id}, seconds=LONG_SECONDS)
    return _file(answer["text"], "application/xml", f"VIR{batch_id}.xml")


@audience.endpoint(
    "GET",
    "/v1/finance/payouts/<number:batch_id>/details.csv",
    access=FINANCE,
    media_type="text/csv",
    refuses=["batch-not-found", "file-not-valid"],
)
def details_file(batch_id: int) -> Any:
    """Every line of the batch; the same bytes for ever."""
    answer = ask("payout", "details-csv", {"batchId": batch_id}, seconds=LONG_SECONDS)
    return _file(answer["text"], "text/csv", f"VIR{batch_id}.csv")


@audience.endpoint(
    "GET",
    "/v1/finance/payouts/<number:batch_id>/venues.csv",
    access=FINANCE,
    media_type="text/csv",
    refuses=["batch-not-found", "file-not-valid"],
)
def venues_file(batch_id: int) -> Any:
    """What each venue is paid by the batch; the same bytes for ever."""
    answer = ask("payout", "venues-csv", {"batchId": batch_id}, seconds=LONG_SECONDS)
    return _file(answer["text"], "text/csv", f"VIR{batch_id}-venues.csv")


@audience.endpoint(
    "GET",
    "/v1/finance/payouts/<number:batch_id>/wallets.csv",
    access=FINANCE,
    media_type="text/csv",
    refuses=["batch-not-found", "balances-not-noted"],
)
def wallets_file(batch_id: int) -> Any:
    """What each young person had left at the close; the same bytes for ever."""
    parts: list[str] = []
    asked: dict[str, Any] | None = {"batchId": batch_id}
    while asked is not None:
        answer = ask("payout", "wallets-csv", asked, seconds=LONG_SECONDS)
        parts.append(answer["text"])
        asked = None if answer["nextCursor"] is None else {"batchId": batch_id, "cursor": answer["nextCursor"]}
    return _file("".join(parts), "text/csv", f"VIR{batch_id}-wallets.csv")


def _file(text: str, media_type: str, name: str) -> Response:
    response = Response(text.encode(), mimetype=media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@audience.endpoint(
    "POST",
    "/v1/finance/payouts/<number:batch_id>/sent",
    access=FINANCE,
    body=schemas.Sent,
    answers=(200, schemas.Batch),
    refuses=["batch-not-found", "batch-not-closed", "transfer-not-found", "transfer-already-answered"],
)
def mark_sent(body: dict[str, Any], batch_id: int) -> Any:
    """The bank has executed transfers: their bookings are reimbursed."""
    return send("payout", "mark-sent", {"batchId": batch_id, **body}, seconds=LONG_SECONDS)


@audience.endpoint(
    "POST",
    "/v1/finance/payouts/<number:batch_id>/rejections",
    access=FINANCE,
    body=schemas.Rejections,
    answers=(200, schemas.Batch),
    refuses=["batch-not-found", "batch-not-closed", "transfer-not-found", "transfer-already-answered"],
)
def mark_rejected(body: dict[str, Any], batch_id: int) -> Any:
    """The bank has rejected transfers."""
    return send("payout", "mark-rejected", {"batchId": batch_id, **body}, seconds=LONG_SECONDS)


@audience.endpoint(
    "GET", "/v1/finance/events", access=FINANCE, query=schemas.EventsQuery, media_type="application/x-ndjson"
)
def events(query: dict[str, Any]) -> Any:
    """What payout published after a position until now, in order: one JSON object a line, in its newest version."""
    deadline = time.monotonic() + query["wait"]
    messages = _published(query)
    while not messages and time.monotonic() < deadline:
        gate().simulation.pause(POLL_SECONDS)
        messages = _published(query)
    lines = b"".join(orjson.dumps(_flat(message)) + b"\n" for message in messages)
    return Response(lines, mimetype="application/x-ndjson")


def _published(query: dict[str, Any]) -> list[dict[str, Any]]:
    answer = ask(platform_calls.Log(after=query["after"], limit=query["limit"]), to="payout", batched=True)
    found: list[dict[str, Any]] = answer["messages"]
    return found


def _flat(message: dict[str, Any]) -> dict[str, Any]:
    """The message's facts beside where it stands and when it happened; those three names are never a fact's."""
    return {
        **message["data"],
        "position": message["position"],
        "name": message["name"],
        "version": message["version"],
        "occurredAt": message["occurredAt"],
    }


@audience.endpoint(
    "GET",
    "/v1/finance/establishments/<word:establishment>/years/<number:year>",
    access=FINANCE,
    query=schemas.YearQuery,
    answers=(200, schemas.EstablishmentYear),
)
def establishment_year(query: dict[str, Any], establishment: str, year: int) -> Any:
    """An establishment's revenue, tier and payments of a civil year, now or as of an instant."""
    return ask("payout", "establishment-year", {"establishment": establishment[:40], "year": min(year, 9999), **query})


@audience.endpoint("GET", "/v1/finance/custom-rules", access=FINANCE, answers=(200, schemas.CustomRules))
def custom_rules() -> Any:
    """Reimbursement rules that were agreed for single offers or structures."""
    return {"nextCursor": None, **ask("payout", "custom-rules", {})}


@audience.endpoint(
    "POST",
    "/v1/finance/custom-rules",
    access=FINANCE,
    body=schemas.NewCustomRule,
    answers=(201, schemas.CustomRule),
    refuses=["custom-rule-invalid", "custom-rule-owner-unknown", "custom-rule-overlaps"],
)
def add_custom_rule(body: dict[str, Any]) -> Any:
    """Agrees a rule for an offer or a structure from an instant on."""
    return send("payout", "add-custom-rule", body)


@audience.endpoint("GET", "/v1/finance/reconciliation", access=FINANCE, answers=(200, schemas.Reconciliation))
def reconciliation() -> Any:
    """The identities that must hold over everything that happened, per day, with every difference."""
    return ask("payout", "reconciliation", {}, seconds=LONG_SECONDS)
