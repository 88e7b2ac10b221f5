"""The finance team: payouts, their files, events, establishments, custom rules, reconciliation."""

from __future__ import annotations

import time
from typing import Any

import orjson
from flask import Response

from services.gateway.ports import current_ports
from services.gateway.web.endpoints.audience import Audience
from services.gateway.web.endpoints.calls import ask
from services.gateway.web.responses.flask_responses import file_response
from services.gateway.web.schemas import finance as schemas
from shared.contracts.calls import payout
from shared.contracts.calls import platform as platform_calls
from shared.contracts.calls.contract import FINANCE

audience = Audience("Finance", "Payouts, their files, events, establishments, reconciliation.")

LONG_SECONDS = 110.0
"""For the close of a fortnight of the whole country, or a reconciliation over the whole log."""

POLL_SECONDS = 0.25
PAYOUTS, PAYOUT = "/v1/finance/payouts", "/v1/finance/payouts/<number:batch_id>"
BATCH, RULES = (200, schemas.Batch), "/v1/finance/custom-rules"


@audience.endpoint(
    "POST",
    f"{PAYOUTS}/preview",
    body=payout.Cutoff,
    access=FINANCE,
    answers=(200, schemas.Preview),
    refuses=payout.Preview.REFUSES,
)
def preview_payout(body: payout.Cutoff) -> Any:
    """The figures of a close at this moment, to the cent. Changes nothing."""
    return ask(payout.Preview(cutoff=body.cutoff), seconds=LONG_SECONDS)


audience.forwards(
    "POST", PAYOUTS, payout.Close, operation="close_payout", seconds=LONG_SECONDS, answers=(201, schemas.Batch)
)
audience.forwards("GET", PAYOUTS, payout.Payouts, answers=(200, schemas.Batches))
audience.forwards("GET", PAYOUT, payout.Payout, answers=(200, schemas.BatchWithTransfers))
audience.forwards("POST", f"{PAYOUT}/sent", payout.MarkSent, seconds=LONG_SECONDS, answers=BATCH)
audience.forwards("POST", f"{PAYOUT}/rejections", payout.MarkRejected, seconds=LONG_SECONDS, answers=BATCH)


@audience.endpoint("GET", f"{PAYOUT}/transfers.xml", query=payout.TransfersXml, media_type="application/xml")
def transfers_file(query: payout.TransfersXml) -> Any:
    """The transfers as pain.001, valid against its schema; always the same bytes."""
    answer = ask(query, seconds=LONG_SECONDS)
    return file_response(answer["text"], "application/xml", f"VIR{query.batch_id}.xml")


@audience.endpoint("GET", f"{PAYOUT}/details.csv", query=payout.DetailsCsv, media_type="text/csv")
def details_file(query: payout.DetailsCsv) -> Any:
    """Every line of the batch; always the same bytes."""
    answer = ask(query, seconds=LONG_SECONDS)
    return file_response(answer["text"], "text/csv", f"VIR{query.batch_id}.csv")


@audience.endpoint("GET", f"{PAYOUT}/venues.csv", query=payout.VenuesCsv, media_type="text/csv")
def venues_file(query: payout.VenuesCsv) -> Any:
    """The amount of each venue in the batch; always the same bytes."""
    answer = ask(query, seconds=LONG_SECONDS)
    return file_response(answer["text"], "text/csv", f"VIR{query.batch_id}-venues.csv")


@audience.endpoint(
    "GET", f"{PAYOUT}/wallets.csv", access=FINANCE, media_type="text/csv", refuses=payout.WalletsCsv.REFUSES
)
def wallets_file(batch_id: int) -> Any:
    """The balance of each young person at the close; always the same bytes."""
    parts: list[str] = []
    query: payout.WalletsCsv | None = payout.WalletsCsv(batch_id=batch_id)
    while query is not None:
        answer = ask(query, seconds=LONG_SECONDS)
        parts.append(answer["text"])
        query = None if answer["nextCursor"] is None else query.with_(cursor=answer["nextCursor"])
    return file_response("".join(parts), "text/csv", f"VIR{batch_id}-wallets.csv")


@audience.endpoint(
    "GET", "/v1/finance/events", access=FINANCE, query=schemas.EventsQuery, media_type="application/x-ndjson"
)
def events(query: schemas.EventsQuery) -> Any:
    """Messages that payout published after a position, in order: one JSON object per line, in its newest version."""
    deadline = time.monotonic() + query.wait
    messages = _published(query)
    while not messages and time.monotonic() < deadline:
        current_ports().simulation.pause(POLL_SECONDS)
        messages = _published(query)
    lines = b"".join(orjson.dumps(_flat(message)) + b"\n" for message in messages)
    return Response(lines, mimetype="application/x-ndjson")


def _published(query: schemas.EventsQuery) -> list[dict[str, Any]]:
    answer = ask(platform_calls.Log(after=query.after, limit=query.limit), to="payout", batched=True)
    found: list[dict[str, Any]] = answer["messages"]
    return found


def _flat(message: dict[str, Any]) -> dict[str, Any]:
    """The data of a message with its position, name, version and instant; no data has fields of these names."""
    return {
        **message["data"],
        "position": message["position"],
        "name": message["name"],
        "version": message["version"],
        "occurredAt": message["occurredAt"],
    }


audience.forwards(
    "GET",
    "/v1/finance/establishments/<word:establishment>/years/<number:year>",
    payout.EstablishmentYear,
    answers=(200, schemas.EstablishmentYear),
)
audience.forwards("GET", RULES, payout.CustomRules, answers=(200, schemas.CustomRules))
audience.forwards("POST", RULES, payout.AddCustomRule, answers=(201, schemas.CustomRule))
audience.forwards(
    "GET",
    "/v1/finance/reconciliation",
    payout.Reconciliation,
    seconds=LONG_SECONDS,
    answers=(200, schemas.Reconciliation),
)
