"""Every recorded price of the real system, through the code of ``passculture price``."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from services.payout.command_line import custom_rule, price, price_lines
from services.payout.domain.scales import known_on

CASES = json.loads((Path(__file__).parents[2] / "cases" / "reimbursement.json").read_text("utf-8"))
REGISTER_2021 = known_on(date(2021, 11, 17))
RULES = [
    custom_rule(
        {k: v for k, v in rule.items() if k != "amount"}
        | ({"amountCents": int(Decimal(rule["amount"]) * 100)} if "amount" in rule else {})
    )
    for rule in CASES["custom_rules"]
]


def as_line(case: dict[str, Any], establishment: str = "34086387400024") -> str:
    line = {
        "siret": establishment,
        "subcategory": case["subcategory"],
        "educational": case.get("is_educational", False),
        "unitPriceCents": int(Decimal(case["price"]) * 100),
        "quantity": case["quantity"],
        "usedAt": case["date_used"] + "Z",
        "offerId": case.get("offer_id"),
        "offererId": case.get("offerer_id"),
    }
    if "cumulative_revenue_including_this" in case:
        line["revenueCents"] = int(Decimal(case["cumulative_revenue_including_this"]) * 100)
    return json.dumps({name: value for name, value in line.items() if value is not None})


def assert_priced(out: str, case: dict[str, Any]) -> None:
    line = json.loads(out)
    assert line["reimbursedCents"] == int(Decimal(case["expected_amount_stored"]) * 100)
    assert line["rate"] == case["expected_rate"]
    assert line["rule"] == case["rule"]


@pytest.mark.parametrize("kind", ["single", "custom"])
def test_every_single_booking_is_priced_as_the_real_system_did(kind: str) -> None:
    rules = RULES if kind == "custom" else []
    outs = list(price_lines(map(as_line, CASES[kind]), rules, REGISTER_2021))
    assert len(outs) == len(CASES[kind]) > 90
    for out, case in zip(outs, CASES[kind], strict=True):
        assert_priced(out, case)


@pytest.mark.parametrize("sequence", CASES["sequences"], ids=lambda sequence: sequence["name"])
def test_the_revenue_of_every_sequence_adds_up(sequence: dict[str, Any]) -> None:
    outs = list(price_lines(map(as_line, sequence["bookings"]), (), REGISTER_2021))
    for out, case in zip(outs, sequence["bookings"], strict=True):
        assert_priced(out, case)
    total = sum(json.loads(out)["reimbursedCents"] for out in outs)
    assert total == int(Decimal(sequence["total_stored"]) * 100)


def test_interleaved_establishments_are_independent() -> None:
    sequences = CASES["sequences"][:4]
    tagged = [(case, f"e{number}") for number, sequence in enumerate(sequences) for case in sequence["bookings"]]
    tagged.sort(key=lambda pair: pair[0]["date_used"])
    outs = price_lines((as_line(case, name) for case, name in tagged), (), REGISTER_2021)
    for out, (case, _) in zip(outs, tagged, strict=True):
        assert_priced(out, case)


def test_todays_register_counts_digital_bookings_from_2022() -> None:
    digital = {"siret": "x", "subcategory": "VOD", "educational": False, "unitPriceCents": 3_000_000, "quantity": 1}
    place = {**digital, "subcategory": "SEANCE_CINE", "unitPriceCents": 1000}
    for register, expected in ((REGISTER_2021, "1"), (known_on(date(2022, 1, 1)), "0.95")):
        lines = [json.dumps({**line, "usedAt": "2022-01-02T10:00:00Z"}) for line in (digital, place)]
        assert json.loads(list(price_lines(lines, (), register))[1])["rate"] == expected


def test_years_begin_in_paris_from_2022() -> None:
    line = {"siret": "x", "subcategory": "CONCERT", "educational": False, "unitPriceCents": 2_500_000, "quantity": 1}
    instants = ("2021-12-31T22:59:59Z", "2021-12-31T23:00:00Z", "2022-12-31T22:59:59Z", "2022-12-31T23:00:00Z")
    outs = [json.loads(out) for out in price_lines(json.dumps({**line, "usedAt": at}) for at in instants)]
    assert [out["revenueCents"] for out in outs] == [2_500_000, 2_500_000, 5_000_000, 2_500_000]


GOOD = {"siret": "s", "subcategory": "CONCERT", "educational": False, "unitPriceCents": 1, "quantity": 1}
GOOD |= {"usedAt": "2021-06-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ("{", "not JSON"),
        ("[]", "object"),
        (json.dumps({**GOOD, "siret": ""}), "siret"),
        (json.dumps({**GOOD, "subcategory": "NOPE"}), "subcategory"),
        (json.dumps({**GOOD, "quantity": 0}), "quantity"),
        (json.dumps({**GOOD, "quantity": True}), "quantity"),
        (json.dumps({**GOOD, "unitPriceCents": -1}), "unitPriceCents"),
        (json.dumps({**GOOD, "unitPriceCents": 10**30}), "unitPriceCents"),
        (json.dumps({**GOOD, "unitPriceCents": 1.5}), "unitPriceCents"),
        (json.dumps({**GOOD, "usedAt": "yesterday"}), "usedAt"),
        (json.dumps({**GOOD, "educational": "no"}), "educational"),
        (json.dumps({**GOOD, "revenueCents": "1"}), "revenueCents"),
    ],
)
def test_a_bad_line_stops_the_command_with_its_number(bad: str, named: str) -> None:
    app = typer.Typer()
    app.command()(price)
    result = CliRunner().invoke(app, input=f"{json.dumps(GOOD)}\n{bad}\n")
    assert result.exit_code != 0
    assert isinstance(result.exception, SystemExit)
    assert "line 2" in result.output
    assert named in result.output


def test_the_command_takes_a_register_and_rules(tmp_path: Path) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text('[{"offerId": 7, "amountCents": 550, "start": "2021-01-01T00:00:00Z"}]')
    app = typer.Typer()
    app.command()(price)
    line = json.dumps({**GOOD, "offerId": 7, "quantity": 2})
    ok = CliRunner().invoke(app, ["--known-on", "2021-11-17", "--custom-rules", str(rules)], input=line)
    assert ok.exit_code == 0
    assert json.loads(ok.output) == {
        **json.loads(line), "revenueCents": 2, "rate": None, "reimbursedCents": 1100, "rule": "CustomReimbursementRule"
    }  # fmt: skip
    for arguments in (["--known-on", "2020-01-01"], ["--known-on", "x"], ["--custom-rules", str(tmp_path / "none")]):
        assert CliRunner().invoke(app, arguments, input=line).exit_code != 0
