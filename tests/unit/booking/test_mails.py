"""Mails and pushes: to whom, about what, and when."""

from __future__ import annotations

from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any

from shared.kernel.french import NO_BREAK
from shared.kernel.time import parse_instant
from tests.french import objection, typographic_objection
from tests.unit.booking.world import YOUNG, World

ZOE, STAR = "young1001@example.org", "star@example.org"


def work(world: World) -> None:
    for task in world.service.tasks:
        if task.name.endswith("-mails"):
            task.run()


def open_work(world: World) -> int:
    with world.store.reading() as connection:
        return world.service.open_work(connection)


def mails(world: World) -> list[Any]:
    files = sorted((world.folder / "mail").glob("*.eml"))
    return [message_from_bytes(path.read_bytes(), policy=policy.default) for path in files]


def to(world: World, address: str) -> list[tuple[str, str]]:
    found = [mail for mail in mails(world) if mail["To"] == address]
    assert [objection(mail.get_content()) for mail in found] == [None] * len(found)
    return [(plain(mail["Subject"]), plain(mail.get_content())) for mail in found]


def plain(text: str) -> str:
    """The text with one kind of spaces; each must be of the right kind."""
    assert typographic_objection(text) is None
    return text.replace(NO_BREAK, " ")


def test_a_booking_is_mailed_to_the_person_and_the_venue(world: World) -> None:
    booked = world.book(world.event(timedelta(days=8), price=2_550))
    assert open_work(world) > 0
    work(world)
    assert open_work(world) == 0
    ((_, mine),) = to(world, ZOE)
    ((subject, theirs),) = to(world, STAR)
    for text in (mine, theirs):
        assert booked["countermark"] in text
        assert "25,50 €" in text
        assert "10/11/2021 à 13:00" in text
    assert "À la caisse" in mine and "3 rue des Arts" in mine
    assert "Zoé Martin1001" in theirs and "+33612345678" in theirs
    assert "Nouvelle réservation" in subject
    assert next(mail for mail in mails(world) if mail["To"] == STAR)["Reply-To"] == ZOE


def test_the_mail_has_the_address_of_a_digital_offer(world: World) -> None:
    offer = world.offer("LIVRE_NUMERIQUE", url="https://lire.example.org/{token}?offre={offerId}&pour={email}")
    booked = world.book(world.stock(offer))
    work(world)
    ((_, text),) = to(world, ZOE)
    assert f"https://lire.example.org/{booked['countermark']}?offre={offer}&pour={ZOE}" in text


def test_mails_are_written_once(world: World) -> None:
    world.book(world.stock())
    work(world)
    work(world)
    assert len(mails(world)) == 2


def test_the_mail_has_the_activation_code(world: World) -> None:
    world.book(world.stock(world.offer("VOD", url="https://example.org"), codes=("SECRET-7",)))
    work(world)
    assert "SECRET-7" in to(world, ZOE)[0][1]
    assert "SECRET-7" not in to(world, STAR)[0][1]


def test_a_cancellation_is_mailed_by_its_reason(world: World) -> None:
    mine, desks = world.book(world.stock()), world.book(world.stock())
    work(world)
    for mail in (world.folder / "mail").glob("*.eml"):
        mail.unlink()
    world.cancel(mine["bookingId"])
    world.desk("cancel", desks["countermark"])
    work(world)
    assert sorted(text.splitlines()[2].split(" : ")[0] for _, text in to(world, ZOE)) == [
        "Votre réservation a été annulée par l’organisateur",
        "Votre réservation a été annulée à votre demande",
    ]
    ((_, theirs),) = to(world, STAR)
    assert "Places restantes : 10" in theirs


def test_a_suspicion_of_fraud_is_not_mailed_to_the_person(world: World) -> None:
    world.book(world.stock())
    work(world)
    world.receive("identity", "BeneficiarySuspended", {"personId": YOUNG, "reason": "FRAUD", "at": world.now_text()})
    work(world)
    assert len(to(world, ZOE)) == 1
    assert any("suspicion" in text for _, text in to(world, STAR))


def test_a_moved_event_is_mailed(world: World) -> None:
    stock = world.event(timedelta(days=8))
    world.book(stock)
    world.move_event(stock, parse_instant("2021-12-01T19:00:00Z"))
    work(world)
    assert any("01/12/2021 à 20:00" in text for _, text in to(world, ZOE))


def test_a_withdrawn_stock_is_mailed_to_each_person_and_once_to_the_venue(world: World) -> None:
    stock = world.event(timedelta(days=8))
    booked = [world.book(stock), world.book(stock, world.welcome(2_001))]
    alone = world.event(timedelta(days=8))
    cleared(world)
    for withdrawn in (stock, alone):
        world.receive(
            "catalog", "StockWithdrawn", {"stockId": withdrawn, "offerId": 1, "withdrawnAt": world.now_text()}
        )
    work(world)
    ((subject, text),) = to(world, STAR)
    assert "Réservations annulées" in subject
    assert "Réservations annulées : 2, pour 2 places" in text
    assert all(one["countermark"] in text for one in booked)
    assert f"- Zoé Martin1001, {ZOE}, +33612345678, contremarque {booked[0]['countermark']}" in text
    assert [len(to(world, f"young{person}@example.org")) for person in (1001, 2001)] == [1, 1]


def cleared(world: World) -> None:
    """What has been written until now is of no more account."""
    work(world)
    for kind in ("mail", "push"):
        for path in (world.folder / kind).glob("*"):
            path.unlink()


def pushes(world: World) -> list[list[str]]:
    """The lines of each."""
    return [plain(path.read_text("utf-8")).splitlines() for path in sorted((world.folder / "push").glob("*.txt"))]


def test_an_uncollected_booking_gives_one_warning(world: World) -> None:
    booked = world.book(world.stock())
    cleared(world)
    world.move_to(parse_instant("2021-11-07T05:29:59Z"))
    work(world)
    assert mails(world) == []
    world.move_to(parse_instant("2021-11-07T05:30:00Z"))
    assert open_work(world) > 0
    work(world)
    ((subject, text),) = to(world, ZOE)
    assert subject == f"Votre réservation expire bientôt : {booked['offer']['name']}"
    assert booked["countermark"] in text and "avant le 12/11/2021 à 13:00" in text
    world.restart()
    world.move_to(parse_instant("2021-11-13T04:00:00Z"))
    work(world)
    assert len(mails(world)) == 1, "once, and the venue gets no mail about a warning"
    world.move_to(parse_instant("2021-11-13T05:00:00Z"))
    work(world)
    assert [subject.split(" de ")[0] for subject, _ in to(world, ZOE)][-1] == "Annulation"


def test_a_booking_used_before_the_mail_is_written_gives_no_warning(world: World) -> None:
    booked = world.book(world.stock())
    cleared(world)
    world.move_to(parse_instant("2021-11-07T05:30:00Z"))
    world.desk("use", booked["countermark"])
    work(world)
    assert mails(world) == []


def test_after_an_outage_expired_bookings_give_no_warning(world: World) -> None:
    world.book(world.stock())
    cleared(world)
    world.clock.move_to(parse_instant("2021-11-20T09:00:00Z"))
    assert world.process.run_due_timers() == 2
    work(world)
    assert [subject.split(" de ")[0] for subject, _ in to(world, ZOE)] == ["Annulation"]


def test_a_reminder_is_pushed_on_the_eve_of_an_event(world: World) -> None:
    stock = world.event(timedelta(days=8))
    other = world.welcome(2_000)
    mine, cancelled = world.book(stock), world.book(stock, other)
    world.cancel(cancelled["bookingId"], other)
    cleared(world)
    world.move_to(parse_instant("2021-11-09T16:00:00Z"))
    work(world)
    work(world)
    title = f"Title: C’est bientôt : {mine['offer']['name']}"
    assert pushes(world) == [[f"To: account {YOUNG}", title, "", "Le 10/11/2021 à 13:00, Cinéma Star."]]
    assert mails(world) == []


def test_a_moved_event_gives_no_reminder_of_its_old_date(world: World) -> None:
    stock = world.event(timedelta(days=8))
    world.book(stock)
    cleared(world)
    world.move_to(parse_instant("2021-11-09T16:00:00Z"))
    world.move_event(stock, parse_instant("2021-12-01T19:00:00Z"))
    work(world)
    assert pushes(world) == []
    world.move_to(parse_instant("2021-11-30T16:00:00Z"))
    work(world)
    assert [push[-1] for push in pushes(world)] == ["Le 01/12/2021 à 20:00, Cinéma Star."]


def test_mails_wait_for_identity_and_bookings_do_not(world: World) -> None:
    world.bus.away.add("identity")
    assert world.book(world.stock())["status"] == "confirmed"
    work(world)
    assert mails(world) == []
    world.bus.away.clear()
    work(world)
    assert len(mails(world)) == 2


def test_mails_are_written_no_faster_than_they_are_sent(world: World) -> None:
    stock = world.stock(price=0, quantity=None)
    for person in range(2_000, 2_120):
        world.book(stock, world.welcome(person))
    (write,) = [task for task in world.service.tasks if task.name == "write-mails"]
    for _ in range(3):
        write.run()
    assert world.rows("notifications") == 200
    for _ in range(6):
        work(world)
    assert len(mails(world)) == 240
