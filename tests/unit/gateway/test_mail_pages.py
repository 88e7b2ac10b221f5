"""The pages behind the links in mails: plain forms without scripts; a GET changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import html

from shared.kernel.errors import Refused, Unavailable

PAIR = {"accessToken": "a", "refreshToken": "r", "expiresIn": 900}
PAGES = [("/confirmer", "confirm-email", {}), ("/mot-de-passe", "reset-password", {"password": "Good-horse-9-battery"})]
EACH = pytest.mark.parametrize(("path", "command", "fields"), PAGES, ids=["confirm", "password"])
EVIL = "\"><script>alert('x')</script>"


def refusal(status: int, code: str, **extra: Any) -> Refused:
    return Refused({"code": code, "status": status, "detail": "why", "errors": {}, "extra": extra})


def form_of(answer: Any) -> tuple[Any, dict[str, str]]:
    """The only form of a page, and the values of its fields."""
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    (form,) = html.fromstring(answer.get_data(as_text=True)).forms
    return form, dict(form.form_values())


@EACH
def test_a_get_sends_no_command(platform: Any, path: str, command: str, fields: dict[str, str]) -> None:
    platform.answers("identity", command, PAIR)
    answer = platform.client.get(f"{path}?token=abc.def-1")
    form, sent = form_of(answer)
    assert (answer.status_code, form.method, form.action) == (200, "POST", path)
    assert sent["token"] == "abc.def-1"
    assert platform.calls == []


@EACH
def test_submitting_the_form_sends_the_command(platform: Any, path: str, command: str, fields: dict[str, str]) -> None:
    platform.answers("identity", command, PAIR)
    _, sent = form_of(platform.client.get(f"{path}?token=abc"))
    answer = platform.client.post(path, data={**sent, **fields})
    assert answer.status_code == 200
    assert platform.called(command) == [{"token": "abc", **fields}]
    page = html.fromstring(answer.get_data(as_text=True))
    assert page.forms == []
    assert "Vous pouvez vous connecter" in page.text_content()
    assert PAIR["accessToken"] not in answer.headers.get("Set-Cookie", "")


@EACH
@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (refusal(422, "link-invalid"), "déjà servi"),
        (refusal(410, "token-expired"), "24 heures"),
        (refusal(403, "account-suspended"), "suspendu"),
        (refusal(422, "password-weak"), "12 caractères"),
        (Unavailable("away"), "recommencez"),
        (refusal(500, "surprise"), "recommencez"),
    ],
    ids=lambda value: getattr(value, "code", ""),
)
def test_a_refusal_is_shown_above_the_form(
    platform: Any, path: str, command: str, fields: dict[str, str], refused: Any, message: str
) -> None:
    platform.answers("identity", command, refused)
    answer = platform.client.post(path, data={"token": "abc", **fields})
    assert answer.status_code == refused.status
    page = html.fromstring(answer.get_data(as_text=True))
    (alert,) = page.xpath("//*[@role='alert']")
    assert message in alert.text_content()
    assert form_of(answer)[1]["token"] == "abc"
    assert fields.get("password", "nowhere") not in answer.get_data(as_text=True)


@EACH
def test_the_eleventh_failure_is_refused(platform: Any, path: str, command: str, fields: dict[str, str]) -> None:
    platform.answers("identity", command, refusal(422, "link-invalid"))
    answers = [platform.client.post(path, data={"token": "abc", **fields}) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [422] * 10 + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0


@EACH
def test_an_invalid_form_is_refused(platform: Any, path: str, command: str, fields: dict[str, str]) -> None:
    platform.answers("identity", command, PAIR)
    assert platform.client.post(path, json={"token": "abc", **fields}).status_code == 422
    assert platform.client.post(path, data={}).status_code == 422
    assert platform.client.post(path, data={"token": "abc", **fields, "evil": "1"}).status_code == 422
    assert platform.client.post(path, data={"token": "a" * 2_001, **fields}).status_code == 422
    assert platform.calls == []


@EACH
def test_a_page_is_safe_and_accessible(platform: Any, path: str, command: str, fields: dict[str, str]) -> None:
    answer = platform.client.get(path, query_string={"token": EVIL})
    page = html.fromstring(answer.get_data(as_text=True))
    assert page.xpath("//script") == []
    assert form_of(answer)[1]["token"] == EVIL
    assert page.get("lang") == "fr"
    assert len(page.xpath("//h1")) == len(page.xpath("//main")) == len(page.xpath("//title")) == 1
    for shown in page.xpath("//input[not(@type='hidden')]"):
        assert page.xpath(f"//label[@for='{shown.get('id')}']")
        assert page.get_element_by_id(shown.get("aria-describedby")).text_content()
    headers = answer.headers
    assert "script-src" not in headers["Content-Security-Policy"]
    assert "form-action 'self'" in headers["Content-Security-Policy"]
    assert (headers["Referrer-Policy"], headers["Cache-Control"]) == ("no-referrer", "no-store")
    for link in page.xpath("//@href | //@src"):
        assert platform.client.get(link).status_code == 200
