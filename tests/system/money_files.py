"""Reads and checks the files of payouts, and performs the actions of the finance team."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from lxml import etree

from shared.kernel.time import PARIS
from tests.platform import Platform

XSD = Path(__file__).parents[2] / "services/payout/files/schemas/pain.001.001.03.xsd"
PAIN = {"p": "urn:iso:std:iso:20022:tech:xsd:pain.001.001.03"}

SIXTEEN_COLUMNS = [
    "Année",
    "Virement",
    "Créditeur",
    "SIRET créditeur",
    "Adresse créditeur",
    "IBAN",
    "Raison sociale du lieu",
    "Nom de l'offre",
    "Nom utilisateur",
    "Prénom utilisateur",
    "Contremarque",
    "Date de validation de la réservation",
    "Montant de la réservation",
    "Barème",
    "Montant remboursé",
    "Statut du remboursement",
]
DETAILS_COLUMNS = [
    "Libellé fournisseur",
    "Raison sociale de la structure",
    "SIREN",
    "Raison sociale du lieu",
    "SIRET",
    "ID du lieu",
    "ID de l'offre",
    "Nom de l'offre",
    "Sous-catégorie de l'offre",
    "Date de la réservation",
    "Prix de la réservation",
    "Type de réservation",
    "Date de validation",
    "IBAN",
    "Paiement ID",
    "Taux de remboursement",
    "Montant remboursé à l'offreur",
    "Marge",
    "Délai de paiement (jours)",
]


@dataclass(frozen=True)
class Transfer:
    end_to_end_id: str
    amount: Decimal
    """In euros."""
    iban: str


@dataclass(frozen=True)
class TransferFile:
    """A valid pain.001 file."""

    control_sum: Decimal
    transfers: list[Transfer]

    @classmethod
    def read(cls, raw: bytes) -> TransferFile:
        document = etree.fromstring(raw)
        etree.XMLSchema(file=str(XSD)).assertValid(document)
        sums = {Decimal(one.text or "") for one in document.iterfind(".//p:CtrlSum", PAIN)}
        (control_sum,) = sums
        found = [_transfer(one) for one in document.iterfind(".//p:CdtTrfTxInf", PAIN)]
        assert sum(one.amount for one in found) == control_sum
        assert len({one.end_to_end_id for one in found}) == len(found)
        counts = {int(one.text or "") for one in document.iterfind(".//p:NbOfTxs", PAIN)}
        assert counts == {len(found)}
        return cls(control_sum, found)

    def of(self, iban: str) -> Transfer:
        (found,) = [one for one in self.transfers if one.iban == iban]
        return found


def _transfer(element: Any) -> Transfer:
    def text(path: str) -> str:
        return str(element.findtext(path, namespaces=PAIN))

    return Transfer(
        end_to_end_id=text("p:PmtId/p:EndToEndId"),
        amount=Decimal(text("p:Amt/p:InstdAmt")),
        iban=text("p:CdtrAcct/p:Id/p:IBAN"),
    )


def table(raw: bytes, delimiter: str) -> list[dict[str, str]]:
    """The rows of a CSV file by column name, with or without a byte order mark."""
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""), delimiter=delimiter))


def reimbursements(platform: Platform, token: str) -> list[dict[str, str]]:
    """The reimbursements file of a structure, after checking its columns."""
    raw = platform.client.get_bytes("/v1/pro/reimbursements.csv", token)
    assert raw.startswith(b"\xef\xbb\xbf")
    header = next(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""), delimiter=";"))
    assert header == SIXTEEN_COLUMNS
    return table(raw, ";")


class Finance:
    """The actions of the finance team."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    @property
    def token(self) -> str:
        return self.platform.token("finance")

    def close_fortnight(self) -> dict[str, Any]:
        """Moves the clock past the end of the current fortnight, closes it and returns the batch."""
        last_day = self.move_to_end_of_fortnight()
        closed = self.platform.post("/v1/finance/payouts", {"cutoff": last_day}, self.token)
        assert closed.status == 201, closed
        batch: dict[str, Any] = closed.json
        return batch

    def move_to_end_of_fortnight(self) -> str:
        """Moves the clock to the morning after the current fortnight; returns the fortnight's last day."""
        last = end_of_fortnight(self.platform.now())
        self.platform.move_clock_to((last + timedelta(days=1)).replace(hour=8))
        return last.date().isoformat()

    def transfers(self, batch: dict[str, Any]) -> TransferFile:
        path = f"/v1/finance/payouts/{batch['batchId']}/transfers.xml"
        raw = self.platform.client.get_bytes(path, self.token)
        assert self.platform.client.get_bytes(path, self.token) == raw
        return TransferFile.read(raw)

    def details(self, batch: dict[str, Any]) -> list[dict[str, str]]:
        raw = self.platform.client.get_bytes(f"/v1/finance/payouts/{batch['batchId']}/details.csv", self.token)
        delimiter = ";" if b";" in raw.splitlines()[0] else ","
        rows = table(raw, delimiter)
        assert list(rows[0]) == DETAILS_COLUMNS
        return rows

    def balances(self, batch: dict[str, Any]) -> dict[int, tuple[str, str]]:
        """The remaining credit of each account at the close, (theoretical, real), in the order of the file."""
        raw = self.platform.client.get_bytes(f"/v1/finance/payouts/{batch['batchId']}/wallets.csv", self.token)
        rows = table(raw, ";")
        return {int(row["ID de l'utilisateur"]): (row["Solde théorique"], row["Solde réel"]) for row in rows}

    def confirm_sent(self, batch: dict[str, Any], transfers: list[str] | None = None) -> None:
        body = {} if transfers is None else {"transfers": transfers}
        answer = self.platform.post(f"/v1/finance/payouts/{batch['batchId']}/sent", body, self.token)
        assert answer.status == 200, answer
        self.platform.wait_idle()

    def report_rejected(self, batch: dict[str, Any], transfer: str, reason: str) -> None:
        body = {"transfers": [{"endToEndId": transfer, "reason": reason}]}
        answer = self.platform.post(f"/v1/finance/payouts/{batch['batchId']}/rejections", body, self.token)
        assert answer.status == 200, answer
        self.platform.wait_idle()

    def year(self, siret: str, year: int) -> dict[str, Any]:
        found: dict[str, Any] = self.platform.get(f"/v1/finance/establishments/{siret}/years/{year}", self.token)
        return found

    def assert_reconciled(self) -> None:
        """Asserts that every identity of the reconciliation holds."""
        self.platform.wait_idle()
        found = self.platform.get("/v1/finance/reconciliation", self.token)
        assert found["balanced"] is True, found["differences"]


def end_of_fortnight(instant: datetime) -> datetime:
    """An instant on the last day of the fortnight that contains ``instant``, in Paris time."""
    day = instant.astimezone(PARIS)
    if day.day <= 15:
        return day.replace(day=15)
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)


__all__ = ["Finance", "TransferFile", "end_of_fortnight", "reimbursements", "table"]
