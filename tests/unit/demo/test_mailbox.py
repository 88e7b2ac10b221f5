"""The demonstration finds links and codes in the mails and text messages of the platform, the newest first."""

from __future__ import annotations

import os
from email.message import EmailMessage
from pathlib import Path

import pytest

from demo.client import Mailbox
from demo.narration import euros, plural


def write_mail(folder: Path, name: str, to: str, text: str, written: int) -> None:
    mail = EmailMessage()
    mail["To"], mail["Subject"] = to, "Confirmez"
    mail.set_content(text)
    path = folder / f"{name}.eml"
    path.write_bytes(bytes(mail))
    os.utime(path, (written, written))


def test_the_newest_link_for_a_recipient_is_found(tmp_path: Path) -> None:
    box = Mailbox(tmp_path, tmp_path / "none")
    write_mail(tmp_path, "b", "zoe@example.com", "http://x/?token=old", 1)
    write_mail(tmp_path, "a", "Zoe@example.com", "http://x/?a=1&token=new_-.1 .", 2)
    write_mail(tmp_path, "c", "lea@example.com", "http://x/?token=hers", 3)
    assert box.link_token("zoe@example.com") == "new_-.1"
    write_mail(tmp_path, "d", "zoe@example.com", "http://x/?token=newest", 4)
    assert box.link_token("zoe@example.com") == "newest"


def test_the_code_for_a_phone_number_is_found(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "none", tmp_path)
    (tmp_path / "one.txt").write_text(
        "To: +33644100007\n\nVotre code pass Culture : 123456. Il est valable 10 minutes.\n"
    )
    (tmp_path / "two.txt").write_text("To: +33644100008\n\nVotre code pass Culture : 654321.\n")
    (tmp_path / ".half").write_text("To: +33644100007\n\n000000")
    assert box.phone_code("+33644100007") == "123456"


def test_a_missing_mail_times_out(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError, match=r"zoe@example\.com"):
        Mailbox(tmp_path, tmp_path, timeout_seconds=0.1).link_token("zoe@example.com")


def test_amounts_and_counts_in_french() -> None:
    assert euros(2_095_000) == "20\u00a0950,00 €"
    assert euros(-5) == "-0,05 €"
    assert (plural(1, "ligne"), plural(2, "ligne"), plural(2, "lieu", "lieux")) == ("1 ligne", "2 lignes", "2 lieux")
