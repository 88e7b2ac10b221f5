"""Every name in a document exists in the code."""

from __future__ import annotations

from functools import cache

import pytest

from tests.documents import NOT_NAMES, ROOT, Document, Tree

GENERATED = {"messages-and-calls.md", "settings.md", "benchmarks.md", "mutation.md", "reliability.md"}
DOCUMENTS = sorted(
    str(path.relative_to(ROOT))
    for path in [
        *(ROOT / name for name in ("README.md", "ARCHITECTURE.md")),
        *(path for path in (ROOT / "docs").glob("*.md") if path.name not in GENERATED),
        *(path for path in (ROOT / "services").rglob("README.md") if path.parent.name != "schemas"),
    ]
)
WRONG = [
    "`shared.testing.given_when_then`",
    "`shared/testing/given_when_then.py`",
    "`services/<name>/application.py`",
    "`domain.py`",
    "`make tests`",
    "`passculture prices`",
    "`passculture price --known-by DATE`",
    "`--known-by`",
    "`GET /v1/offres`",
    "`/v1/offers/{offer_id}/stock`",
    "`OfferPublishd`",
    "`Ofer*`",
    "`create-offers`",
    "`offer_lists`",
    "`Offer.Publishd`",
    "`Store.decides`",
    "`tx.flushes`",
    "`store.running(work)`",
    "`lock_row(connection, table)`",
    "`live=Flase`",
    "`Call[CreateOffers]`",
    "`DATABASE_URI`",
    "`PAYOUT_PERIODS=week`",
    '`{"mesage": []}`',
    "[the guide](docs/building-service.md)",
    "[the guide](docs/building-a-service.md#after-a-restore)",
    "```python\nfrom shared.testing import given_when_then\n```",
    "```python\nfrom shared.eventstore import Store\n\nStore.decides\n```",
    "```python\ndef broken(:\n```",
    "```python\nprint(undefined_name)\n```",
    "```sh\nmake tests\n```",
    "```sh\n.venv/bin/python -m pytest tests/unit/catalog/test_offres.py\n```",
]
RIGHT = [
    "`shared.testing.BusDouble`, `tx.flush()`, `store.run(work)`, `services/<name>/domain/`, `domain/` and `make test`",
    "`passculture price --known-on DATE`, `GET /v1/offers`, `OfferPublished`, `Offer*`, `create-offer`",
    "`Offer.Published`, `PAYOUT_PERIOD=week`, `DATABASE_URL`, `offerId`, `ifMatch`",
    "[the guide](docs/building-a-service.md#1-rooms)",
    "```python\nfrom shared.eventstore import Store\n\n\ndef work(store: Store) -> None:\n    store.decide\n```",
    "```sh\nmake test\n.venv/bin/python -m pytest tests/unit/catalog/test_offers.py\n```",
]


@cache
def tree() -> Tree:
    return Tree()


@pytest.mark.parametrize("path", DOCUMENTS)
def test_every_name_in_a_document_exists(path: str) -> None:
    assert Document(path, tree()).unknown() == []


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_name_is_found(text: str) -> None:
    assert Document("README.md", tree(), f"{text}\n").unknown() != []


@pytest.mark.parametrize("text", RIGHT)
def test_an_existing_name_is_accepted(text: str) -> None:
    assert Document("README.md", tree(), f"{text}\n").unknown() == []


def test_every_exception_is_used_in_a_document() -> None:
    assert set(NOT_NAMES) <= {span for path in DOCUMENTS for span in Document(path, tree()).spans}
