"""What people give as an address of mails."""

from __future__ import annotations

import pytest

from shared.kernel.identifiers import email


@pytest.mark.parametrize("text", ["a@b.fr", "zoe.martin+pass@mail.example.org", "o'neil@b.fr", "x" * 64 + "@b.fr"])
def test_an_address_stays_as_it_is(text: str) -> None:
    assert email(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "a",
            "a@b",
            "@b.fr",
            "a@.fr",
            "a@b.f",
            "a b@c.fr",
            "a..b@c.fr",
            ".a@b.fr",
            "a@b.fr\nBcc: c@d.fr",
            "a@b@c.fr",
        ),
        *("zoé@example.org", "zoe@exämple.org", "zoe@例え.jp", "٣@b.fr", "x" * 65 + "@b.fr", "a@" + "b." * 130 + "fr"),
    ],
    ids=ascii,
)
def test_what_a_mail_server_would_not_take_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="e-mail"):
        email(text)
