"""One story in both modes: with the same seed the payout files are identical."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.platform import MODES, Platform
from tests.system.money_files import Finance
from tests.system.scenario import Scenario

SEED = "a seed for the money"


def play(platform: Platform) -> dict[str, bytes]:
    """Two structures, three people, two fortnights, a rejected transfer. Returns all files."""
    scenario, finance = Scenario(platform), Finance(platform)
    one, other = scenario.actor(venues=2), scenario.actor()
    people = [scenario.young_person() for _ in range(3)]
    begins = datetime(2021, 11, 8, 19, tzinfo=UTC)
    concert = scenario.publish(one, 2550, 5, subcategory="CONCERT", begins=begins, name="Concert d'été", isDuo=True)
    book = scenario.publish(other, 1099, 5, name="Œuvres complètes")
    for number, person in enumerate(people):
        scenario.make_booking(person, concert.stock_id, 1 + number % 2, key=f"concert-{number}")
        booking = scenario.make_booking(person, book.stock_id, key=f"book-{number}")
        scenario.use_at_desk(other, booking)
    scenario.platform.move_clock_to(begins + timedelta(days=3))
    files: dict[str, bytes] = {}
    first = finance.close_fortnight()
    collect(files, finance, first)
    assert one.structure.bank is not None
    rejected = finance.transfers(first).of(one.structure.bank.iban)
    finance.report_rejected(first, rejected.end_to_end_id, "AC04")
    finance.confirm_sent(first, [t.end_to_end_id for t in finance.transfers(first).transfers if t != rejected])
    second = finance.close_fortnight()
    collect(files, finance, second)
    finance.confirm_sent(second)
    for number, actor in enumerate((one, other)):
        files[f"{number}/reimbursements.csv"] = platform.client.get_bytes("/v1/pro/reimbursements.csv", actor.token)
    finance.assert_reconciled()
    return files


def collect(files: dict[str, bytes], finance: Finance, batch: dict[str, object]) -> None:
    for name in ("transfers.xml", "details.csv", "venues.csv", "wallets.csv"):
        path = f"/v1/finance/payouts/{batch['batchId']}/{name}"
        files[f"{batch['batchId']}/{name}"] = finance.platform.client.get_bytes(path, finance.token)


def played(mode: str, folder: Path, seed: str) -> Iterator[dict[str, bytes]]:
    with MODES[mode](folder, RANDOM_SEED=seed) as platform:
        yield play(platform)


def files_of(mode: str, folder: Path, seed: str = SEED) -> dict[str, bytes]:
    (files,) = played(mode, folder, seed)
    return files


@pytest.mark.distributed
def test_payout_files_are_identical_in_both_modes(tmp_path: Path) -> None:
    embedded, distributed = files_of("embedded", tmp_path / "one"), files_of("distributed", tmp_path / "six")
    assert list(embedded) == list(distributed)
    assert len(embedded) == 10
    assert all(content.count(b"\n") > 1 for content in embedded.values()), "a file has only a header"
    for name, content in embedded.items():
        assert content == distributed[name], name


@pytest.mark.slow
def test_another_seed_changes_countermarks_but_not_transfers(tmp_path: Path) -> None:
    """The control: the compared files depend on the seed, but the amounts do not."""
    one, other = files_of("embedded", tmp_path / "one"), files_of("embedded", tmp_path / "other", "another seed")
    assert one["1/transfers.xml"] == other["1/transfers.xml"]
    assert one["1/reimbursements.csv"] != other["1/reimbursements.csv"]


@pytest.mark.slow
def test_same_seed_gives_identical_files(tmp_path: Path) -> None:
    assert files_of("embedded", tmp_path / "one") == files_of("embedded", tmp_path / "again")
