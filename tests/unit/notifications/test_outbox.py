"""The outbox: sends after the commit, once per key, retries with back-off, and deletes what it sent."""

from __future__ import annotations

import email
import email.policy
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

from shared.eventstore import Publication, Store
from shared.eventstore import migrations as store_migrations
from shared.eventstore.engines import make_engine
from shared.kernel.time import SettableClock
from shared.notifications import DeliveryFailed, Mail, Outbox, Push, TextMessage, create_v1, transports
from shared.notifications.outbox import LEASE, MAX_ATTEMPTS, MAX_BACKOFF, MAX_DUE, MIN_BACKOFF, backoff
from shared.notifications.storage import notifications
from shared.notifications.transports import Envelope, Transport
from tests.waiting import wait_until

NOW = datetime(2021, 11, 2, 9, tzinfo=UTC)
MAIL = Mail("zoe@example.org", "Votre réservation", "Contremarque : ABC234\nhttps://example.org/?token=" + "x" * 90)


class TransportDouble(Transport):
    """Records deliveries, after failing ``failures`` times."""

    def __init__(self, failures: int = 0, error: type[Exception] = DeliveryFailed) -> None:
        self.delivered: list[Envelope] = []
        self.failures, self.error = failures, error

    def deliver(self, envelope: Envelope) -> None:
        if self.failures > 0:
            self.failures -= 1
            raise self.error("not now")
        self.delivered.append(envelope)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    engine = make_engine(f"sqlite:///{tmp_path / 'test.sqlite'}")
    with engine.connect() as connection:
        connection = connection.execution_options(writes=True)
        with connection.begin():
            op = Operations(MigrationContext.configure(connection))
            store_migrations.create_v1(op)
            create_v1(op)
    yield Store(engine, clock=SettableClock(NOW), aggregates=[], publication=Publication("test"))
    engine.dispose()


@pytest.fixture
def machine() -> SettableClock:
    return SettableClock(datetime(2026, 1, 1, tzinfo=UTC))


def file_transports(folder: Path) -> dict:
    return transports(f"file:{folder}/mail", f"file:{folder}/sms", f"file:{folder}/push")


def rows(store: Store) -> list:
    with store.reading() as connection:
        return list(connection.execute(sa.select(notifications).order_by(notifications.c.id)))


def open_work(store: Store, outbox: Outbox) -> int:
    with store.reading() as connection:
        return outbox.open_work(connection)


def write(store: Store, outbox: Outbox, *messages: Mail | TextMessage | Push, key: str = "k") -> None:
    with store.transaction() as tx:
        for message in messages:
            outbox.write(tx, message, key=key)


def test_a_mail_is_sent_after_the_commit_and_its_content_deleted(store, machine, tmp_path):
    outbox = Outbox("booking", store, file_transports(tmp_path), machine=machine)
    write(store, outbox, MAIL)
    assert open_work(store, outbox) == 1
    outbox.send_due()
    (path,) = (tmp_path / "mail").iterdir()
    mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert (mail["To"], mail["Subject"]) == (MAIL.to, MAIL.subject)
    assert mail.get_content().replace("\r\n", "\n").strip() == MAIL.text
    assert mail["Date"].datetime == NOW
    (row,) = rows(store)
    assert (row.state, row.recipient, row.content) == ("sent", None, None)
    assert open_work(store, outbox) == 0


def test_nothing_is_sent_when_the_transaction_rolls_back(store, machine):
    transport = TransportDouble()
    outbox = Outbox("booking", store, {"mail": transport}, machine=machine)
    with pytest.raises(RuntimeError), store.transaction() as tx:
        outbox.write(tx, MAIL, key="k")
        raise RuntimeError
    outbox.send_due()
    assert transport.delivered == [] and rows(store) == []


def test_a_key_is_sent_once_per_recipient(store, machine):
    transport = TransportDouble()
    outbox = Outbox("booking", store, {"mail": transport}, machine=machine)
    write(store, outbox, MAIL, MAIL, key="confirmation/17")
    outbox.send_due()
    write(store, outbox, MAIL, key="confirmation/17")
    outbox.send_due()
    assert len(transport.delivered) == 1
    write(store, outbox, MAIL, key="confirmation/18")
    write(store, outbox, Mail("max@example.org", "s", "t"), key="confirmation/18")
    outbox.send_due()
    assert [envelope.notification.to for envelope in transport.delivered] == [MAIL.to, MAIL.to, "max@example.org"]
    assert len({envelope.identifier for envelope in transport.delivered}) == 3


def test_the_identifier_depends_on_service_kind_key_and_recipient_only(store, machine, tmp_path):
    first, second = TransportDouble(), TransportDouble()
    write(store, Outbox("booking", store, {}, machine=machine), MAIL, key="1")
    Outbox("booking", store, {"mail": first}, machine=machine).send_due()
    with store.transaction() as tx:
        tx.connection.execute(notifications.delete())
    write(store, Outbox("booking", store, {}, machine=machine), MAIL, key="1")
    Outbox("booking", store, {"mail": second}, machine=machine).send_due()
    assert first.delivered[0].identifier == second.delivered[0].identifier


def test_a_failed_delivery_is_retried_with_back_off(store, machine):
    transport = TransportDouble(failures=2)
    outbox = Outbox("booking", store, {"mail": transport}, machine=machine)
    write(store, outbox, MAIL)
    outbox.send_due()
    outbox.send_due()
    assert rows(store)[0].attempts == 1, "no retry before the back-off has passed"
    machine.move_to(machine.now() + MIN_BACKOFF)
    outbox.send_due()
    machine.move_to(machine.now() + MIN_BACKOFF)
    outbox.send_due()
    assert rows(store)[0].attempts == 2, "the second back-off is longer"
    machine.move_to(machine.now() + MIN_BACKOFF)
    outbox.send_due()
    assert len(transport.delivered) == 1
    assert [backoff(n).total_seconds() for n in (1, 2, 3, 4)] == [1, 2, 4, 8]
    assert backoff(MAX_ATTEMPTS) == MAX_BACKOFF == backoff(10_000)


def test_attempts_are_bounded_and_a_failing_mail_stops_counting_as_open_work(store, machine):
    transport = TransportDouble(failures=10**9)
    outbox = Outbox("booking", store, {"mail": transport}, machine=machine)
    write(store, outbox, MAIL)
    open_after_attempt = []
    for _ in range(MAX_ATTEMPTS):
        outbox.send_due()
        open_after_attempt.append(open_work(store, outbox))
        machine.move_to(machine.now() + MAX_BACKOFF)
    (row,) = rows(store)
    assert (row.state, row.attempts, row.recipient, row.content) == ("given-up", MAX_ATTEMPTS, None, None)
    assert open_after_attempt[:4] == [1, 1, 0, 0]
    outbox.send_due()
    assert rows(store)[0].attempts == MAX_ATTEMPTS


def test_an_unexpected_error_does_not_block_the_next_message(store, machine):
    broken, transport = TransportDouble(failures=1, error=KeyError), TransportDouble()
    outbox = Outbox("booking", store, {"mail": broken, "sms": transport}, machine=machine)
    write(store, outbox, MAIL, TextMessage("+33612345678", "Code : 123456"))
    outbox.send_due()
    assert len(transport.delivered) == 1
    assert [row.state for row in rows(store)] == ["waiting", "sent"]


def test_a_lease_of_a_dead_process_expires(store, machine):
    transport = TransportDouble()
    outbox = Outbox("booking", store, {"mail": transport}, machine=machine)
    write(store, outbox, MAIL)
    outbox._take()  # and the process dies here
    outbox.send_due()
    assert transport.delivered == []
    machine.move_to(machine.now() + LEASE)
    outbox.send_due()
    assert len(transport.delivered) == 1


def test_leased_messages_do_not_count_towards_the_limit(store, machine):
    outbox = Outbox("booking", store, {"mail": TransportDouble()}, machine=machine)

    def has_room():
        with store.reading() as connection:
            return outbox.has_room(connection)

    for number in range(MAX_DUE):
        write(store, outbox, MAIL, key=str(number))
    assert not has_room()
    outbox._take()  # and the process dies here
    assert has_room()
    machine.move_to(machine.now() + LEASE)
    assert not has_room()


def test_withdrawing_a_recipient_deletes_unsent_messages(store, machine):
    transport = TransportDouble()
    outbox = Outbox("booking", store, {"mail": transport}, machine=machine)
    write(store, outbox, MAIL)
    with store.transaction() as tx:
        outbox.withdraw(tx, MAIL.to)
    outbox.send_due()
    assert transport.delivered == [] and rows(store)[0].content is None


def test_sent_identifiers_are_deleted_after_a_month(store, machine):
    outbox = Outbox("booking", store, {"mail": TransportDouble()}, machine=machine)
    write(store, outbox, MAIL)
    outbox.send_due()
    outbox.forget()
    assert len(rows(store)) == 1
    machine.move_to(machine.now() + timedelta(days=31))
    outbox.forget()
    assert rows(store) == []


def test_the_file_of_a_text_message_or_push_names_its_recipient(store, machine, tmp_path):
    outbox = Outbox("identity", store, file_transports(tmp_path), machine=machine)
    write(store, outbox, TextMessage("+33612345678", "Votre code : 042917"), Push("12", "Titre", "Texte"))
    outbox.send_due()
    (text,) = (tmp_path / "sms").iterdir()
    assert text.read_text() == "To: +33612345678\n\nVotre code : 042917\n"
    (push,) = (tmp_path / "push").iterdir()
    assert "account 12" in push.read_text() and "Titre" in push.read_text()


def test_a_repeated_delivery_overwrites_its_file(tmp_path):
    transport = file_transports(tmp_path)["mail"]
    for _ in range(2):
        transport.deliver(Envelope("ab" * 16, NOW, MAIL))
    assert len(list((tmp_path / "mail").iterdir())) == 1


def test_header_injection_is_refused(store, machine, tmp_path):
    outbox = Outbox("booking", store, file_transports(tmp_path), machine=machine)
    write(store, outbox, Mail("zoe@example.org", "Hi\r\nBcc: all@example.org", "t"))
    outbox.send_due()
    assert not (tmp_path / "mail").exists()
    assert rows(store)[0].state == "given-up"


@pytest.mark.parametrize("url", ["", "mail", "http://example.org", "file:", "file://host/folder"])
def test_an_invalid_transport_url_is_refused(url, tmp_path):
    with pytest.raises(ValueError, match="MAIL_URL"):
        transports(url, f"file:{tmp_path}", f"file:{tmp_path}")


# ---- SMTP, with a real server


@pytest.fixture
def smtp(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    folder = tmp_path / "received"
    folder.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(Path(__file__).with_name("smtp_server.py")), str(folder), str(port)]
    with subprocess.Popen(command) as process:
        try:
            wait_until(lambda: _listens(port), lambda: "the SMTP server did not start")
            yield f"smtp://127.0.0.1:{port}", folder
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def test_a_repeated_mail_has_the_same_message_id(store, machine, smtp, tmp_path):
    url, folder = smtp
    transport_by_kind = transports(f"{url}?from=Pass <pass@example.org>", f"file:{tmp_path}", f"file:{tmp_path}")
    outbox = Outbox("booking", store, transport_by_kind, machine=machine)
    write(store, outbox, Mail(MAIL.to, MAIL.subject, "Dès 18 h : l’Opéra.\n.\nFin", reply_to="sarah@example.org"))
    taken = outbox._take()
    outbox._send(taken)
    outbox._send(taken)  # as after a crash between the delivery and its record
    received = [
        email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in sorted(folder.iterdir())
    ]
    assert len(received) == 2
    assert received[0]["Message-ID"] == received[1]["Message-ID"] == f"<{taken[0].identifier}@example.org>"
    assert received[0]["From"] == "Pass <pass@example.org>" and received[0]["Reply-To"] == "sarah@example.org"
    assert received[0].get_content().replace("\r\n", "\n").strip() == "Dès 18 h : l’Opéra.\n.\nFin"


def test_a_permanent_smtp_error_is_given_up_and_a_transient_one_retried(store, machine, smtp, tmp_path):
    url, folder = smtp
    outbox = Outbox("booking", store, transports(url, f"file:{tmp_path}", f"file:{tmp_path}"), machine=machine)
    for number, to in enumerate(("unknown@example.org", "busy@example.org", "zoe@example.org")):
        write(store, outbox, Mail(to, "s", "t"), key=str(number))
    outbox.send_due()
    assert [row.state for row in rows(store)] == ["given-up", "waiting", "sent"]
    assert rows(store)[1].error.startswith("451")
    assert len(list(folder.iterdir())) == 1


def test_an_unreachable_server_delays_the_mail(store, machine, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"smtp://127.0.0.1:{free.getsockname()[1]}"
        outbox = Outbox("booking", store, transports(url, f"file:{tmp_path}", f"file:{tmp_path}"), machine=machine)
        write(store, outbox, MAIL)
        outbox.send_due()
    (row,) = rows(store)
    assert (row.state, row.attempts) == ("waiting", 1) and row.content is not None


def test_mails_of_one_batch_share_a_connection(store, machine, smtp, tmp_path):
    url, folder = smtp
    outbox = Outbox("booking", store, transports(url, f"file:{tmp_path}", f"file:{tmp_path}"), machine=machine)
    for number, to in enumerate(("zoe@example.org", "unknown@example.org", "max@example.org", "lea@example.org")):
        write(store, outbox, Mail(to, "s", "t"), key=str(number))
    outbox.send_due()
    assert [row.state for row in rows(store)] == ["sent", "given-up", "sent", "sent"]
    assert len({path.stem.split("-")[1] for path in folder.iterdir()}) == 1


def test_a_failed_connection_is_not_retried_for_each_mail_of_a_batch(store, machine, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as executor:
        server.settimeout(5)
        url = f"smtp://127.0.0.1:{server.getsockname()[1]}"
        outbox = Outbox("booking", store, transports(url, f"file:{tmp_path}", f"file:{tmp_path}"), machine=machine)
        for number in range(5):
            write(store, outbox, MAIL, key=str(number))
        accepted = executor.submit(lambda: server.accept()[0].close())  # the first connection only
        outbox.send_due()
        accepted.result()
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert [(row.state, row.attempts) for row in rows(store)] == [("waiting", 1)] * 5
