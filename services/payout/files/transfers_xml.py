"""The transfer file of a batch: pain.001.001.03, one payment information, one credit transfer per account."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from lxml import etree

from services.payout.domain.records import Batch, Transfer
from services.payout.files.character_set import sepa_text
from services.payout.refusals import FileNotValid, NothingToTransfer
from shared.kernel.identifiers import bic as valid_bic
from shared.kernel.money import Cents, euros
from shared.kernel.time import instant_text

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.03"
_NSMAP: Any = {None: NAMESPACE}
"""The default namespace; the stubs of lxml know named ones only."""
SCHEMA = Path(__file__).parent / "schemas" / "pain.001.001.03.xsd"
MAX_NAME_LENGTH = 70
MAX_REMITTANCE_LENGTH = 140
MAX_TRANSFER = Cents(99_999_999_999)
"""999 999 999.99 €: the schema allows more, the SEPA scheme does not."""
SIREN_SCHEME = "SREN"
"""ISO 20022's external code for a SIREN."""
NOT_PROVIDED = "NOTPROVIDED"
"""SEPA's placeholder for a mandatory value that is not known (EPC132-08)."""


def message_id(batch: Batch) -> str:
    """``passCulture-SCT-20211116-090000-12``: the second of the close, in UTC, and the batch's number.

    The number keeps two batches closed within one second apart; 35 characters leave room for its last three digits.
    """
    of_close = f"passCulture-SCT-{batch.closed_at:%Y%m%d-%H%M%S}"
    return of_close if batch.form is None else f"{of_close}-{batch.batch_id % 1000}"


def transfers_xml(batch: Batch, transfers: Sequence[Transfer]) -> bytes:
    """The transfer file of a batch, in the order of ``transfers``: the same records give the same bytes.

    Raises NothingToTransfer without a transfer; FileNotValid when the transfers do not add up to the batch's figures or
    the file is not valid against the schema.
    """
    if not transfers:
        raise NothingToTransfer(f"Le lot {batch.number} ne verse rien : il n’a pas de fichier de virements.")
    _check(batch, transfers)
    document = _document(batch, transfers)
    _validate(document)
    content: bytes = etree.tostring(document, encoding="UTF-8", xml_declaration=True, pretty_print=True)
    return content


def checksum(batch: Batch, transfers: Sequence[Transfer]) -> str | None:
    """SHA-256 of the transfer file; None when nothing is transferred. Raises FileNotValid."""
    return hashlib.sha256(transfers_xml(batch, transfers)).hexdigest() if transfers else None


def _check(batch: Batch, transfers: Sequence[Transfer]) -> None:
    """Checks what the schema cannot: the batch's figures, repeated references, amounts that no bank accepts."""
    total, closed = sum(transfer.amount for transfer in transfers), batch.totals
    if (len(transfers), total) != (closed.transfers, closed.transferred):
        raise FileNotValid(
            f"{len(transfers)} virements pour {total} centimes, "
            f"et {closed.transfers} pour {closed.transferred} à la clôture du lot {batch.number}"
        )
    if len({transfer.end_to_end_id for transfer in transfers}) != len(transfers):
        raise FileNotValid(f"Le lot {batch.number} a deux virements de même identifiant")
    for transfer in transfers:
        if not 0 < transfer.amount <= MAX_TRANSFER:
            raise FileNotValid(
                f"Aucune banque n’accepte les {transfer.amount} centimes du virement {transfer.end_to_end_id}"
            )


def _document(batch: Batch, transfers: Sequence[Transfer]) -> etree._Element:
    document = etree.Element(f"{{{NAMESPACE}}}Document", nsmap=_NSMAP)
    initiation = _add(document, "CstmrCdtTrfInitn")
    _group_header(initiation, batch)
    payment = _payment_information(initiation, batch)
    templates: dict[str, etree._Element] = {}
    for transfer in transfers:
        # copying a template is twice as fast as building each element: 20 000 transfers within a second
        if transfer.remittance not in templates:
            templates[transfer.remittance] = _template(transfer.remittance)
        payment.append(_filled(templates[transfer.remittance], transfer))
    return document


def _group_header(initiation: etree._Element, batch: Batch) -> None:
    header = _add(initiation, "GrpHdr")
    _add(header, "MsgId", message_id(batch))
    _add(header, "CreDtTm", instant_text(batch.closed_at.replace(microsecond=0)))
    _add(header, "NbOfTxs", str(batch.totals.transfers))
    _add(header, "CtrlSum", euros(batch.totals.transferred))
    _add(_add(header, "InitgPty"), "Nm", _debtor_name(batch))


def _payment_information(initiation: etree._Element, batch: Batch) -> etree._Element:
    payment = _add(initiation, "PmtInf")
    _add(payment, "PmtInfId", message_id(batch))
    _add(payment, "PmtMtd", "TRF")
    _add(payment, "NbOfTxs", str(batch.totals.transfers))
    _add(payment, "CtrlSum", euros(batch.totals.transferred))
    kind = _add(payment, "PmtTpInf")
    _add(_add(kind, "SvcLvl"), "Cd", "SEPA")
    _add(_add(kind, "CtgyPurp"), "Cd", "GOVT")
    _add(payment, "ReqdExctnDt", batch.execution_date.isoformat())
    _add(_add(payment, "Dbtr"), "Nm", _debtor_name(batch))
    _add(_add(_add(payment, "DbtrAcct"), "Id"), "IBAN", batch.debtor.iban)
    bank = _add(_add(payment, "DbtrAgt"), "FinInstnId")
    if _is_bic(batch.debtor.bic):
        _add(bank, "BIC", batch.debtor.bic)
    else:
        _add(_add(bank, "Othr"), "Id", NOT_PROVIDED)
    _add(payment, "ChrgBr", "SLEV")
    return payment


def _template(remittance: str) -> etree._Element:
    """A credit transfer with its remittance text only."""
    credit = etree.Element(f"{{{NAMESPACE}}}CdtTrfTxInf", nsmap=_NSMAP)
    _add(_add(credit, "PmtId"), "EndToEndId")
    _add(_add(credit, "Amt"), "InstdAmt").set("Ccy", "EUR")
    _add(_add(_add(credit, "CdtrAgt"), "FinInstnId"), "BIC")
    creditor = _add(credit, "Cdtr")
    _add(creditor, "Nm")
    identification = _add(_add(_add(creditor, "Id"), "OrgId"), "Othr")
    _add(identification, "Id")
    _add(_add(identification, "SchmeNm"), "Cd", SIREN_SCHEME)
    _add(_add(_add(credit, "CdtrAcct"), "Id"), "IBAN")
    _add(_add(credit, "RmtInf"), "Ustrd", sepa_text(remittance, at_most=MAX_REMITTANCE_LENGTH))
    return credit


def _filled(template: etree._Element, transfer: Transfer) -> etree._Element:
    credit = deepcopy(template)
    references, amount, agent, creditor, account, _ = credit
    name, identification = creditor
    references[0].text = transfer.end_to_end_id
    amount[0].text = euros(transfer.amount)
    name.text = _creditor_name(transfer)
    account[0][0].text = transfer.iban
    if _is_bic(transfer.bic):
        agent[0][0].text = transfer.bic
    else:
        # one mistyped BIC must not block all transfers; since 2016 an IBAN alone identifies an account
        credit.remove(agent)
    if transfer.siren:
        identification[0][0][0].text = transfer.siren
    else:
        creditor.remove(identification)
    return credit


def _is_bic(text: str) -> bool:
    try:
        return valid_bic(text) == text
    except ValueError:
        return False


def _debtor_name(batch: Batch) -> str:
    return sepa_text(batch.debtor.name, at_most=MAX_NAME_LENGTH) or NOT_PROVIDED


def _creditor_name(transfer: Transfer) -> str:
    # a name in another script must not block a payment
    known_by = f"SIREN {transfer.siren}" if transfer.siren else NOT_PROVIDED
    return sepa_text(transfer.holder, at_most=MAX_NAME_LENGTH) or known_by


def _add(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
    child = etree.SubElement(parent, f"{{{NAMESPACE}}}{name}")
    if text is not None:
        child.text = text
    return child


def _validate(document: etree._Element) -> None:
    try:
        _schema().assertValid(document)
    except etree.DocumentInvalid as invalid:
        raise FileNotValid(f"Le schéma pain.001.001.03 ne l’admet pas : {invalid}") from None


@cache
def _schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(SCHEMA)))
