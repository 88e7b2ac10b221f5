"""The transfer file (SEPA pain.001), parsed and validated as a bank does."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from lxml import etree

from services.payout.domain.records import Batch, Transfer
from services.payout.files.transfers_xml import NAMESPACE, SCHEMA, message_id, transfers_xml
from services.payout.refusals import FileNotValid, NothingToTransfer
from shared.kernel.money import Cents
from tests.unit.payout_files.records import BATCH, BIC, IBAN, TRANSFER

OFFICIAL_SCHEMA = "ed4be42522e3e35b108b3ad2ebbcc65da987cddbf6cfdc20828cd4fd0d69c51a"
SHA256_OF_FORMAT_1 = "b41af47673680ec5571c97898af2eae8a28a6001ea6c8170112b71794f2d34e3"
"""The hash of the file of ``BATCH`` in the first format."""


def texts(content: bytes, path: str) -> list[str | None]:
    found = etree.fromstring(content).iterfind(f".//{path}", {None: NAMESPACE})
    return [element.text for element in found]


def batch_of(transfers: list[Transfer]) -> Batch:
    total = Cents(sum(transfer.amount for transfer in transfers))
    return replace(BATCH, totals=replace(BATCH.totals, transfers=len(transfers), transferred=total, total=total))


def many(count: int) -> list[Transfer]:
    return [
        replace(
            TRANSFER, end_to_end_id=f"{number:032x}", amount=Cents(100 + number), holder=f"Théâtre n° {number} & Cie"
        )
        for number in range(count)
    ]


def test_the_file_of_the_batch_of_montpellier() -> None:
    content = transfers_xml(BATCH, [TRANSFER])

    assert texts(content, "GrpHdr/MsgId") == ["passCulture-SCT-20211116-090000-1"]
    assert texts(content, "PmtInf/PmtInfId") == ["passCulture-SCT-20211116-090000-1"]
    assert texts(content, "GrpHdr/CreDtTm") == ["2021-11-16T09:00:00Z"]
    assert texts(content, "NbOfTxs") == ["1", "1"]
    assert texts(content, "CtrlSum") == ["36.40", "36.40"]
    assert texts(content, "PmtInf/PmtMtd") == ["TRF"]
    assert texts(content, "PmtInf/PmtTpInf/SvcLvl/Cd") == ["SEPA"]
    assert texts(content, "PmtInf/PmtTpInf/CtgyPurp/Cd") == ["GOVT"]
    assert texts(content, "PmtInf/ChrgBr") == ["SLEV"]
    assert texts(content, "PmtInf/ReqdExctnDt") == ["2021-11-17"]
    assert texts(content, "PmtInf/Dbtr/Nm") == ["pass Culture"]
    assert texts(content, "PmtInf/DbtrAcct/Id/IBAN") == ["FR7630001007941234567890185"]
    assert texts(content, "PmtInf/DbtrAgt/FinInstnId/BIC") == ["BDFEFRPP"]
    assert texts(content, "CdtTrfTxInf/PmtId/EndToEndId") == ["a" * 32]
    assert texts(content, "CdtTrfTxInf/Amt/InstdAmt") == ["36.40"]
    assert texts(content, "CdtTrfTxInf/CdtrAgt/FinInstnId/BIC") == [BIC]
    assert texts(content, "CdtTrfTxInf/Cdtr/Nm") == ["Tresorerie de Montpellier"]
    assert texts(content, "CdtTrfTxInf/Cdtr/Id/OrgId/Othr/Id") == ["213401722"]
    assert texts(content, "CdtTrfTxInf/CdtrAcct/Id/IBAN") == [IBAN]
    assert texts(content, "CdtTrfTxInf/RmtInf/Ustrd") == ["Novembre 2021 : remboursement 1ere quinzaine"]


def test_the_schema_is_the_official_one_and_the_file_is_valid_against_it() -> None:
    assert hashlib.sha256(SCHEMA.read_bytes()).hexdigest() == OFFICIAL_SCHEMA
    etree.XMLSchema(etree.parse(str(SCHEMA))).assertValid(etree.fromstring(transfers_xml(BATCH, [TRANSFER])))


def test_the_same_records_give_the_same_bytes() -> None:
    transfers = many(50)
    assert transfers_xml(batch_of(transfers), transfers) == transfers_xml(batch_of(transfers), list(transfers))


def test_message_ids_contain_the_time_of_the_close_and_fit_the_format() -> None:
    late = replace(BATCH, closed_at=datetime(2021, 12, 31, 23, 59, 59, tzinfo=UTC))
    assert message_id(late) == "passCulture-SCT-20211231-235959-1"
    assert message_id(replace(late, batch_id=2)) != message_id(late), "unique even within the same second"
    assert re.fullmatch(r".{1,35}", message_id(replace(late, batch_id=123_456)))


def test_the_file_of_a_batch_of_the_first_format_keeps_its_bytes() -> None:
    content = transfers_xml(replace(BATCH, form=None), [TRANSFER])
    assert texts(content, "GrpHdr/MsgId") == ["passCulture-SCT-20211116-090000"]
    assert hashlib.sha256(content).hexdigest() == SHA256_OF_FORMAT_1


def test_transfers_keep_their_order_and_are_summed_up() -> None:
    transfers = many(300)
    content = transfers_xml(batch_of(transfers), transfers)

    assert texts(content, "EndToEndId") == [transfer.end_to_end_id for transfer in transfers]
    assert texts(content, "GrpHdr/CtrlSum") == ["748.50"]
    assert texts(content, "GrpHdr/NbOfTxs") == ["300"]
    assert texts(content, "Cdtr/Nm")[1] == "Theatre no 1 + Cie"


def test_transfers_may_have_different_remittance_texts() -> None:
    transfers = [
        TRANSFER,
        replace(TRANSFER, end_to_end_id="b" * 32, remittance="Octobre 2021 : remboursement 2nde quinzaine"),
    ]
    content = transfers_xml(batch_of(transfers), transfers)
    assert texts(content, "RmtInf/Ustrd") == [
        "Novembre 2021 : remboursement 1ere quinzaine",
        "Octobre 2021 : remboursement 2nde quinzaine",
    ]


def test_a_payee_without_sepa_characters_is_named_by_its_siren() -> None:
    content = transfers_xml(BATCH, [replace(TRANSFER, holder="Театр")])
    assert texts(content, "Cdtr/Nm") == ["SIREN 213401722"]


@pytest.mark.parametrize("bic", ["BNPAFRPO", "BNPAFR0P", "BNPAFR1P", "BDFEFP", ""])
def test_an_account_with_an_impossible_bic_is_identified_by_its_iban(bic: str) -> None:
    other = replace(TRANSFER, end_to_end_id="b" * 32)
    content = transfers_xml(batch_of([TRANSFER, other]), [replace(TRANSFER, bic=bic), other])
    assert texts(content, "CdtTrfTxInf/CdtrAgt/FinInstnId/BIC") == [BIC]
    assert texts(content, "CdtTrfTxInf/CdtrAcct/Id/IBAN") == [IBAN, IBAN]
    assert texts(content, "CtrlSum") == ["72.80", "72.80"]


def test_unknown_facts_of_a_payee_are_left_out() -> None:
    content = transfers_xml(BATCH, [replace(TRANSFER, holder="Театр", siren="")])
    assert texts(content, "Cdtr/Nm") == ["NOTPROVIDED"]
    assert texts(content, "Cdtr/Id/OrgId/Othr/Id") == []


def test_a_batch_with_a_debtor_outside_the_sepa_characters_has_a_file() -> None:
    content = transfers_xml(replace(BATCH, debtor=replace(BATCH.debtor, name="Культура", bic="BDFEFRPO")), [TRANSFER])
    assert texts(content, "PmtInf/Dbtr/Nm") == ["NOTPROVIDED"]
    assert texts(content, "PmtInf/DbtrAgt/FinInstnId/Othr/Id") == ["NOTPROVIDED"]
    assert texts(content, "PmtInf/DbtrAgt/FinInstnId/BIC") == []


def test_markup_in_a_name_is_escaped() -> None:
    content = transfers_xml(BATCH, [replace(TRANSFER, holder="</Nm><Nm>Intrus & Fils")])
    assert texts(content, "Cdtr/Nm") == ["Nm Nm Intrus + Fils"]


def test_a_batch_without_transfers_has_no_file() -> None:
    with pytest.raises(NothingToTransfer):
        transfers_xml(replace(BATCH, totals=replace(BATCH.totals, transfers=0, transferred=Cents(0))), [])


@pytest.mark.parametrize(
    ("transfer", "complaint"),
    [
        (replace(TRANSFER, iban="FR44 3000"), "IBAN"),
        (replace(TRANSFER, end_to_end_id="x" * 36), "EndToEndId"),
        (replace(TRANSFER, remittance="текст"), "Ustrd"),
        (replace(TRANSFER, amount=Cents(3_641)), "et 1 pour 3640 à la clôture"),
    ],
)
def test_an_invalid_file_is_refused_with_the_reason(transfer: Transfer, complaint: str) -> None:
    with pytest.raises(FileNotValid, match=complaint):
        transfers_xml(BATCH, [transfer])


@pytest.mark.parametrize("cents", [0, -1, 100_000_000_000])
def test_an_amount_outside_the_format_is_refused(cents: int) -> None:
    transfers = [replace(TRANSFER, amount=Cents(cents))]
    with pytest.raises(FileNotValid, match="Aucune banque"):
        transfers_xml(batch_of(transfers), transfers)


def test_a_repeated_end_to_end_id_is_refused() -> None:
    transfers = [TRANSFER, TRANSFER]
    with pytest.raises(FileNotValid, match="deux virements"):
        transfers_xml(batch_of(transfers), transfers)
