"""Structures: decisions of staff, attachments, API keys, pending lists."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from services.identity.domain.accounts import Structure
from services.identity.domain.offerers import Attachment, Offerer, Status
from services.identity.refusals import AlreadyDecided, TooManyKeys
from services.identity.storage import tables
from shared.eventstore.tables import outcomes, stored_events
from shared.kernel.callers import Caller
from shared.kernel.errors import Invalid, NotFound, Unauthorized
from tests.unit.identity.platform_of_identity import STAFF

NOW = datetime(2021, 11, 2, 9, tzinfo=UTC)
STRUCTURE = Structure("213401722", "COMMUNE DE MONTPELLIER", "1 PLACE GEORGES FRECHE", "34000", "MONTPELLIER")


def registered() -> Offerer:
    offerer = Offerer.register(NOW, 3, STRUCTURE)
    offerer.attach_first(NOW, attachment=1, account=7)
    offerer.collect_events()
    return offerer


# The aggregate


def test_a_structure_is_validated_once():
    offerer = registered()
    assert offerer.validate(NOW) is True
    assert offerer.validate(NOW) is False
    assert offerer.status is Status.VALIDATED
    with pytest.raises(AlreadyDecided):
        offerer.reject(NOW, "late")
    assert [type(event).__name__ for event in offerer.collect_events()] == ["Validated"]


def test_a_structure_is_rejected_with_a_reason():
    offerer = registered()
    assert offerer.reject(NOW, "not cultural") is True
    assert offerer.reject(NOW, "not cultural") is False
    with pytest.raises(AlreadyDecided):
        offerer.validate(NOW)
    (event,) = offerer.collect_events()
    assert event.reason == "not cultural"


def test_a_structure_is_closed_from_any_state():
    for prepare in (lambda offerer: None, lambda offerer: offerer.validate(NOW)):
        offerer = registered()
        prepare(offerer)
        assert offerer.close(NOW, "ceased") is True
        assert offerer.close(NOW, "ceased") is False
        assert offerer.status is Status.CLOSED


def test_staff_decide_on_the_attachment_of_a_later_account():
    offerer = registered()
    offerer.request_attachment(NOW, attachment=2, account=8)
    offerer.request_attachment(NOW, attachment=3, account=8)
    assert offerer.attachment_of(8) is Attachment.PENDING
    assert offerer.approve_attachment(NOW, 2) is True
    assert offerer.approve_attachment(NOW, 2) is False
    with pytest.raises(AlreadyDecided):
        offerer.reject_attachment(NOW, 2, "no")
    assert [type(event).__name__ for event in offerer.collect_events()] == ["AttachmentRequested", "Attached"]
    assert offerer.attachment_of(8) is Attachment.APPROVED


def test_a_rejected_attachment_may_be_requested_again():
    offerer = registered()
    offerer.request_attachment(NOW, attachment=2, account=8)
    offerer.reject_attachment(NOW, 2, "unknown to us")
    assert offerer.attachment_of(8) is None
    offerer.request_attachment(NOW, attachment=3, account=8)
    assert offerer.attachment_of(8) is Attachment.PENDING


def test_leaving_ends_approved_and_pending_attachments():
    offerer = registered()
    offerer.request_attachment(NOW, attachment=2, account=8)
    offerer.collect_events()
    for account in (7, 8, 9):
        offerer.detach(NOW, account)
    assert [type(event).__name__ for event in offerer.collect_events()] == ["Detached", "AttachmentRejected"]
    assert offerer.attachment_of(7) is None and offerer.attachment_of(8) is None


def test_a_structure_has_at_most_five_active_api_keys():
    offerer = registered()
    for number in range(5):
        offerer.create_api_key(NOW, account=7, prefix=f"p{number}", digest="d")
    with pytest.raises(TooManyKeys):
        offerer.create_api_key(NOW, account=7, prefix="p5", digest="d")
    offerer.delete_api_key(NOW, account=7, prefix="p0")
    offerer.delete_api_key(NOW, account=7, prefix="p0")
    offerer.create_api_key(NOW, account=7, prefix="p5", digest="d")
    assert [type(event).__name__ for event in offerer.collect_events()].count("ApiKeyDeleted") == 1


def test_only_accounts_that_act_for_a_structure_manage_its_api_keys():
    offerer = registered()
    offerer.request_attachment(NOW, attachment=2, account=8)
    for account in (8, 9):
        with pytest.raises(NotFound):
            offerer.create_api_key(NOW, account=account, prefix="p", digest="d")
        with pytest.raises(NotFound):
            offerer.delete_api_key(NOW, account=account, prefix="p")
    offerer.close(NOW, "ceased")
    with pytest.raises(NotFound):
        offerer.create_api_key(NOW, account=7, prefix="p", digest="d")


# Through the service


def test_validation_is_published_shown_and_mailed_once(platform):
    who = platform.pro()
    for _ in range(2):
        assert platform.send("validate-offerer", {"offererId": 1}, STAFF)["status"] == "validated"
    assert [name for name, _ in platform.messages()].count("OffererValidated") == 1
    assert platform.ask("offerers", who=who)["items"][0]["status"] == "validated"
    assert platform.ask("offerer", {"offererId": 1})["siren"] == "213401722"
    assert sum("est validée" in mail.subject for mail in platform.post.to("sarah@example.org")) == 1
    assert platform.ask("pending", {"what": "offerers"}, STAFF)["items"] == []


def test_a_rejection_is_mailed_with_its_reason(platform):
    platform.pro()
    platform.send("reject-offerer", {"offererId": 1, "reason": "Activité non éligible"}, STAFF)
    assert platform.messages()[-1][1]["reason"] == "Activité non éligible"
    assert "Activité non éligible" in platform.post.to("sarah@example.org")[-1].text
    with pytest.raises(AlreadyDecided):
        platform.send("validate-offerer", {"offererId": 1}, STAFF)


def test_an_attachment_is_approved_by_staff(platform):
    platform.pro()
    second = platform.pro("luc@example.org")
    (pending,) = platform.ask("pending", {"what": "attachments"}, STAFF)["items"]
    assert (pending["siren"], pending["applicant"]["email"]) == ("213401722", "luc@example.org")
    data = {"attachmentId": pending["attachmentId"]}
    assert platform.send("approve-attachment", data, STAFF)["status"] == "approved"
    assert platform.messages()[-1] == (
        "ProAttached",
        {"accountId": second, "offererId": 1, "at": "2021-11-02T09:00:00Z"},
    )
    assert platform.ask("offerers", who=second)["items"][0]["attachment"] == "approved"
    assert platform.ask("pending", {"what": "attachments"}, STAFF)["items"] == []


def test_a_rejected_attachment_shows_nothing(platform):
    platform.pro()
    second = platform.pro("luc@example.org")
    number = platform.ask("pending", {"what": "attachments"}, STAFF)["items"][0]["attachmentId"]
    platform.send("reject-attachment", {"attachmentId": number, "reason": "unknown"}, STAFF)
    assert platform.ask("offerers", who=second)["items"] == []


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("validate-offerer", {"offererId": 99}),
        ("reject-offerer", {"offererId": 99}),
        ("close-offerer", {"offererId": 99}),
        ("approve-attachment", {"attachmentId": 99}),
        ("suspend-account", {"accountId": 99, "reason": "FRAUD"}),
        ("unsuspend-account", {"accountId": 99, "reason": "x"}),
    ],
)
def test_unknown_numbers_are_not_found(platform, name, data):
    with pytest.raises(NotFound):
        platform.send(name, data, STAFF)


@pytest.mark.parametrize("data", [{}, {"offererId": "1"}, {"offererId": 0}, {"offererId": 10**30}, {"offererId": True}])
def test_an_invalid_number_is_refused(platform, data):
    with pytest.raises(Invalid):
        platform.send("validate-offerer", data, STAFF)


# API keys


def test_a_key_identifies_its_structure_and_only_its_digest_is_stored(platform):
    who = platform.pro()
    made = platform.send("create-api-key", {"offererId": 1}, who, key="k")
    assert re.fullmatch(r"test_[0-9a-f]{12}_[0-9a-f]{64}", made["key"])
    assert made["key"].startswith(made["prefix"] + "_")
    assert platform.ask("api-key", {"key": made["key"]}) == {"offererId": 1}
    with platform.store.reading() as connection:
        kept = [*connection.execute(sa.select(tables.api_keys.c.digest)).scalars()]
        logged = "".join(connection.execute(sa.select(stored_events.c.state)).scalars())
        answers = connection.execute(sa.select(outcomes)).all()
    secret = made["key"].rpartition("_")[2]
    assert len(kept) == 1 and secret not in kept[0] + logged and answers == []


@pytest.mark.parametrize(
    "change",
    [
        lambda key: key[:-1] + ("0" if key[-1] != "0" else "1"),
        lambda key: key.upper(),
        lambda key: "",
        lambda key: "x_y_z",
    ],
)
def test_a_wrong_key_is_not_found(platform, change):
    who = platform.pro()
    key = platform.send("create-api-key", {"offererId": 1}, who)["key"]
    with pytest.raises(NotFound):
        platform.ask("api-key", {"key": change(key)})


def test_deleted_keys_and_keys_of_a_closed_structure_are_not_found(platform):
    who = platform.pro()
    first, second = (platform.send("create-api-key", {"offererId": 1}, who) for _ in range(2))
    for _ in range(2):
        platform.send("delete-api-key", {"offererId": 1, "prefix": first["prefix"]}, who)
    with pytest.raises(NotFound):
        platform.ask("api-key", {"key": first["key"]})
    assert [item["prefix"] for item in platform.ask("api-keys", {"offererId": 1}, who)["items"]] == [second["prefix"]]
    platform.send("close-offerer", {"offererId": 1, "reason": "ceased"}, STAFF)
    with pytest.raises(NotFound):
        platform.ask("api-key", {"key": second["key"]})


def test_another_account_s_structure_is_not_found(platform):
    platform.pro()
    stranger = platform.pro("luc@example.org", "552032534")
    young = platform.young()
    for who in (stranger, young):
        with pytest.raises(NotFound):
            platform.send("create-api-key", {"offererId": 1}, who)
        with pytest.raises(NotFound):
            platform.ask("api-keys", {"offererId": 1}, who)
    with pytest.raises(Unauthorized):
        platform.send("create-api-key", {"offererId": 1}, Caller(0, offerer_id=1))


# Lists


def test_lists_are_read_page_by_page(platform):
    for number, siren in enumerate(("213401722", "552032534", "732829320")):
        platform.pro(f"pro{number}@example.org", siren)
    first = platform.ask("pending", {"what": "offerers", "limit": 2}, STAFF)
    assert [item["offererId"] for item in first["items"]] == [1, 2]
    second = platform.ask("pending", {"what": "offerers", "limit": 2, "cursor": first["nextCursor"]}, STAFF)
    assert [item["offererId"] for item in second["items"]] == [3] and second["nextCursor"] is None


@pytest.mark.parametrize("cursor", ["", "x", "-1", "٣", "9" * 19, "1; DROP TABLE offerers"])
def test_an_invalid_cursor_is_refused(platform, cursor):
    with pytest.raises(Invalid) as refusal:
        platform.ask("pending", {"what": "offerers", "cursor": cursor}, STAFF)
    assert refusal.value.code == "cursor-invalid"
