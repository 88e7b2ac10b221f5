"""The CSV files, parsed as a spreadsheet does."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import get_args

import pytest

from services.payout.domain.records import LineStatus, WalletBalance
from services.payout.files.finance_tables import DETAILS_HEADER, details_csv, venues_csv, wallets_csv
from services.payout.files.reimbursements_csv import HEADER, OLDER_HEADER, STATUS_LABELS, reimbursements_csv
from services.payout.files.table import exact_percent, integer_percent, typed
from services.payout.refusals import FileNotValid
from shared.kernel.money import Cents
from tests.unit.payout_files.records import BATCH, CINEMA, LINES, MUSEUM, PAID_LINE


def rows(text: str) -> list[list[str]]:
    assert text.startswith("\ufeff")
    assert text.endswith("\r\n")
    return list(csv.reader(io.StringIO(text[1:]), delimiter=";"))


def euros(text: str) -> Decimal:
    return Decimal(text.replace(",", "."))


def test_reimbursements_in_the_16_columns_of_the_founding_document() -> None:
    header, row = rows(reimbursements_csv([PAID_LINE]))
    assert header == [
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
    assert row == [
        "2021",
        "Avril : remboursement 1ère quinzaine",
        "ACTES SUD",
        "34086387700015",
        "47 RUE DU DOCTEUR FANTON",
        "",
        "ACTES SUD",
        "Livre trop sympa",
        "93 HCA 1",
        "PC Test Jeune",
        "0E3344",
        "2021-04-07 11:34:00.497113",
        "26,00",
        "100%",
        "26,00",
        "Remboursement impossible : IBAN et BIC manquants sur l'offreur",
    ]


def test_reimbursements_of_april_in_14_columns_with_a_point() -> None:
    header, row = rows(reimbursements_csv([PAID_LINE], columns=14))
    assert (
        header == [name for name in HEADER if name not in ("Montant de la réservation", "Barème")] == list(OLDER_HEADER)
    )
    assert len(header) == len(row) == 14
    assert row[-3:] == [
        "2021-04-07 11:34:00.497113",
        "26.00",
        "Remboursement impossible : IBAN et BIC manquants sur l'offreur",
    ]


def test_a_file_without_lines_is_a_header() -> None:
    assert rows(reimbursements_csv([])) == [list(HEADER)]


def test_instants_always_have_microseconds() -> None:
    line = replace(PAID_LINE, used_at=datetime(2021, 11, 9, 18, 30, tzinfo=UTC))
    assert rows(reimbursements_csv([line]))[1][11] == "2021-11-09 18:30:00.000000"


def test_a_fixed_amount_has_no_rate_and_a_correction_its_sign() -> None:
    line = replace(PAID_LINE, rate=None, amount=Cents(-2600), reimbursed=Cents(-1250))
    assert rows(reimbursements_csv([line]))[1][12:15] == ["-26,00", "", "-12,50"]


def test_every_status_has_a_label() -> None:
    assert set(STATUS_LABELS) == set(get_args(LineStatus))
    sent = rows(reimbursements_csv([replace(PAID_LINE, status="sent")]))
    assert sent[1][-1] == "Remboursement envoyé"


def test_formulas_in_user_input_are_escaped_and_other_values_unchanged() -> None:
    line = replace(
        PAID_LINE,
        offer_name='=HYPERLINK("http://x";"y")',
        last_name="+33",
        first_name="@cmd",
        address="1 rue\r\ndes Arts",
    )
    row = rows(reimbursements_csv([line]))[1]
    assert row[7] == '\'=HYPERLINK("http://x";"y")'
    assert row[8:10] == ["'+33", "'@cmd"]
    assert row[4] == "1 rue des Arts"
    assert row[10] == "0E3344"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("L'Avare", "L'Avare"),
        ("Tarif -26 ans", "Tarif -26 ans"),
        (" \t=1+1", "'=1+1"),
        ("-20 % de réduction", "'-20 % de réduction"),
        ('a;b "c"', 'a;b "c"'),
        ("\u2028ligne", "ligne"),
        ("", ""),
    ],
)
def test_user_input_is_escaped_and_kept_on_one_line(text: str, expected: str) -> None:
    assert typed(text) == expected


@pytest.mark.parametrize(
    ("rate", "integer", "exact"),
    [
        ("1", "100%", "100%"),
        ("0.95", "95%", "95%"),
        ("0.920", "92%", "92%"),
        ("0.925", "93%", "92,5%"),
        ("0", "0%", "0%"),
        ("0.00", "0%", "0%"),
        (None, "", ""),
    ],
)
def test_rates_as_percentages(rate: str | None, integer: str, exact: str) -> None:
    assert (integer_percent(rate), exact_percent(rate)) == (integer, exact)


@pytest.mark.parametrize("write", [integer_percent, exact_percent])
def test_an_invalid_rate_is_refused(write: object) -> None:
    with pytest.raises(FileNotValid, match="pas un taux"):
        write("beaucoup")  # type: ignore[operator]  # both take a text


def test_details_add_up_to_the_batch() -> None:
    header, *lines = rows(details_csv(BATCH, LINES))
    assert header == [
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
    assert lines[0] == [
        "COMMUNE DE MONTPELLIER-Cinéma Municipal Nestor Burma",
        "COMMUNE DE MONTPELLIER",
        "213401722",
        "Cinéma Municipal Nestor Burma",
        "21340172200128",
        "12",
        "40",
        "Ciné-club : Adieu les cons",
        "Séance de cinéma",
        "2021-11-01 10:00:00.000120",
        "20,00",
        "PC",
        "2021-11-07 18:30:00.000000",
        "FR443000100572E340000000010",
        "501",
        "95%",
        "19,00",
        "1,00",
        "10",
    ]
    assert sum(euros(line[16]) for line in lines) == Decimal("36.40")
    assert all(euros(line[10]) == euros(line[16]) + euros(line[17]) for line in lines)


def test_a_correction_has_no_delay() -> None:
    corrected = replace(LINES[0], counted_from=None)
    _, *lines = rows(details_csv(BATCH, (corrected, *LINES[1:])))
    assert [line[-1] for line in lines] == ["", "10", "10"]


def test_the_details_of_a_batch_of_the_first_format_have_its_columns() -> None:
    header, *lines = rows(details_csv(replace(BATCH, form=None), LINES))
    assert header == list(DETAILS_HEADER)
    assert {len(line) for line in lines} == {18}


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (LINES[:2], "2 lignes"),
        ((LINES[0], LINES[1], replace(LINES[2], reimbursed=Cents(1241), contribution=Cents(-1))), "3641 centimes"),
        ((LINES[0], replace(LINES[1], contribution=Cents(1)), LINES[2]), "ligne 502"),
    ],
)
def test_details_that_do_not_add_up_are_refused(lines: tuple[object, ...], complaint: str) -> None:
    with pytest.raises(FileNotValid, match=complaint):
        details_csv(BATCH, lines)  # type: ignore[arg-type]  # a tuple of lines, typed loosely by parametrize


def test_venues_add_up_to_the_batch() -> None:
    header, *venues = rows(venues_csv(BATCH, [CINEMA, MUSEUM]))
    assert header == [
        "ID lieu",
        "SIREN",
        "Raison sociale de la structure",
        "SIRET",
        "Raison sociale du lieu",
        "Libellé fournisseur",
        "IBAN",
        "BIC",
        "Montant total",
    ]
    assert venues[1] == [
        "11",
        "213401722",
        "COMMUNE DE MONTPELLIER",
        "21340172200110",
        "Musée du Vieux Montpellier",
        "COMMUNE DE MONTPELLIER-Musée du Vieux Montpellier",
        "FR443000100572E340000000010",
        "BDFEFRPPCCT",
        "12,40",
    ]
    with pytest.raises(FileNotValid, match=r"venues\.csv"):
        venues_csv(BATCH, [CINEMA])


def test_balances_of_wallets() -> None:
    text = wallets_csv([WalletBalance(7, Cents(2_800), Cents(29_000)), WalletBalance(8, Cents(0), Cents(0))])
    assert rows(text) == [
        ["ID de l'utilisateur", "Solde théorique", "Solde réel"],
        ["7", "28,00", "290,00"],
        ["8", "0,00", "0,00"],
    ]
