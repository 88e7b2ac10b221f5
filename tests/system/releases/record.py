"""Plays a story on the checked-out release and packs the state of the platform: see README.md in this folder.

.venv/bin/python -m tests.system.releases.record 0.1.0
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tarfile
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from demo.sign_up import Actor, Beneficiary, sign_in
from services.catalog.domain.offers import Offer
from services.catalog.domain.stocks import Stock
from services.catalog.domain.venues import Venue
from services.catalog.publishing import publication
from shared.eventstore import Store
from shared.eventstore.tables import dead_letters
from shared.kernel.time import RealClock, instant_text
from tests.platform import MODES, Answer, Platform
from tests.system.money_files import Finance
from tests.system.scenario import Scenario, add_document, iban_of, key

FOLDER = Path(__file__).parent
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
KEY = "the-key-of-the-free-booking"
LONG_TEXT = 2_000
"""Longer responses that are not JSON are recorded as a hash."""


class Story:
    """Three structures, some young people, a booking in every status; two batches, one of their transfers rejected."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.scenario = Scenario(platform)
        self.finance = Finance(platform)
        self.staff = platform.token("staff")

    def play(self) -> None:
        scenario, platform = self.scenario, self.platform
        self.actor, self.other = scenario.actor(venues=2), scenario.actor()
        self.unpaid = scenario.actor(bank=False)
        self.key = scenario.api_key(self.actor)
        self.people = [scenario.young_person() for _ in range(6)]
        self._offers()
        self._bank_details()
        self._accounts()
        self._bookings()
        platform.move_clock_to("2021-11-14T09:00:00Z")  # a timer has validated the concert of the 10th
        self.batches = [self.finance.close_fortnight()]
        first, second = [one["endToEndId"] for one in self._batch(self.batches[0])["transferList"]][:2]
        self.finance.confirm_sent(self.batches[0], [first])
        self.finance.report_rejected(self.batches[0], second, "AC04")
        self._second_fortnight()
        self.batches.append(self.finance.close_fortnight())
        self.finance.confirm_sent(self.batches[1])
        self._third_fortnight()
        self.finance.assert_reconciled()

    def _offers(self) -> None:
        scenario, actor = self.scenario, self.actor
        begins = self.platform.now().replace(day=10, hour=19)
        self.book = scenario.publish(actor, 1_590, 50, tags=["roman", "noël"], withdrawalDetails="À la caisse")
        self.concert = scenario.publish(
            actor, 2_550, 20, subcategory="CONCERT", begins=begins, name="Concert", isDuo=True
        )
        self.later = scenario.publish(
            actor, 3_000, 5, subcategory="CONCERT", begins=begins + timedelta(days=60), name="Opéra", isDuo=True
        )
        self.withdrawn = scenario.publish(actor, 1_000, 5, subcategory="CONCERT", begins=begins + timedelta(days=20))
        self.free = scenario.publish(
            actor, 0, 5, subcategory="VISITE", begins=begins + timedelta(days=9), name="Visite"
        )
        codes = {"stock": {"activationCodes": ["CODE-1", "CODE-2", "CODE-3"]}}
        online = scenario.digital_venue(actor)
        web = {"subcategory": "VOD", "venue": online, "url": "https://example.org/film?mail={email}"}
        self.film = scenario.publish(actor, 400, None, name="Film", **web, **codes)
        self.elsewhere = scenario.publish(self.other, 4_000, 10, name="Dictionnaire")
        self.bookshop = scenario.publish(self.unpaid, 700, 10, name="Recueil")
        festival = {"subcategory": "FESTIVAL_MUSIQUE", "begins": begins + timedelta(days=40)}
        self.dear = scenario.publish(actor, 150_000, 10, name="Festival", **festival)  # reviewed by staff
        hidden = scenario.publish(actor, 500, 3, name="Retiré")
        self._done("POST", f"/v1/pro/offers/{hidden.offer_id}/deactivate", {}, actor.token)
        rejected = scenario.publish(actor, 160_000, 10, name="Croisière", **festival)
        self._done("POST", f"/v1/staff/offers/{rejected.offer_id}/reject", {"reason": "pas culturel"}, self.staff)
        venue = self.scenario.venue(actor, 1)
        draft = {"name": "Brouillon", "subcategory": "LIVRE_PAPIER", "description": "sans stock"}
        self._done("POST", f"/v1/pro/venues/{venue}/offers", draft, actor.token)
        self._done("PATCH", f"/v1/pro/venues/{venue}", {"comment": None, "name": "Cinéma Étoile"}, actor.token)
        self._done("PATCH", f"/v1/pro/stocks/{self.later.stock_id}", {"priceCents": 3_200}, actor.token)

    def _bank_details(self) -> None:
        bank = {"iban": iban_of(77), "bic": "BNPAFRPPXXX", "holder": "Structure"}
        path = f"/v1/pro/offerers/{self.unpaid.offerer_id}/bank-details"
        made = self._done("POST", path, bank, self.unpaid.token)
        document = f"/v1/pro/bank-details/{made['bankDetailsId']}/documents"
        assert add_document(self.platform, document, PDF, self.unpaid.token).status == 201
        rule = {"offererId": self.other.offerer_id, "rate": "0.80", "start": "2021-12-01T00:00:00Z"}
        self._done("POST", "/v1/finance/custom-rules", rule, self.platform.token("finance"))

    def _accounts(self) -> None:
        suspended, erased = self.people[4:6]
        for person in (suspended, erased):
            self.scenario.make_booking(person, self.book.stock_id)
        number = self.scenario.account_id(suspended)
        self._done("POST", f"/v1/staff/accounts/{number}/suspend", {"reason": "fraud"}, self.staff)
        body = {"email": "unfinished@example.org", "password": "Tous-a-l-opera-2021!", "firstName": "Paul"}
        body |= {"lastName": "Pas-Fini", "birthDate": "2003-06-15", "postalCode": "75011"}
        self._done("POST", "/v1/accounts", body, None)

    def _bookings(self) -> None:
        scenario, (one, two, three, four) = self.scenario, self.people[:4]
        self.bookings = {
            "used at the desk": scenario.make_used_booking(self.actor, one, 2_000),
            "validated by itself": scenario.make_booking(two, self.concert.stock_id, 2),
            "confirmed": scenario.make_booking(one, self.later.stock_id, 2),
            "cancelled": scenario.make_booking(two, self.book.stock_id),
            "cancelled with its stock": scenario.make_booking(three, self.withdrawn.stock_id),
            "free": scenario.make_booking(three, self.free.stock_id, key=KEY),
            "with a code": scenario.make_booking(three, self.film.stock_id),
            "taken back": scenario.make_booking(three, self.book.stock_id),
            "to expire": scenario.make_booking(four, self.book.stock_id),
            "restored": scenario.make_booking(four, self.elsewhere.stock_id),
            "elsewhere": scenario.make_used_booking(self.other, one, 9_000),
            "without bank details": scenario.make_used_booking(self.unpaid, two, 700),
        }
        assert scenario.cancel(two, self.bookings["cancelled"]["bookingId"]).status == 200
        scenario.use_at_desk(self.actor, self.bookings["taken back"])
        taken_back = self.bookings["taken back"]["countermark"]
        assert scenario.desk("keep", taken_back, self.actor.token).status == 204
        self._done("DELETE", f"/v1/pro/stocks/{self.withdrawn.stock_id}", None, self.actor.token)
        restored = self.bookings["restored"]["bookingId"]
        assert scenario.cancel(four, restored).status == 200
        self._done("POST", f"/v1/staff/bookings/{restored}/restore", {"reason": "par erreur"}, self.staff)
        refused = scenario.book(one, scenario.publish(self.actor, 29_900).stock_id)
        assert refused.outcome == (409, "insufficient-credit")
        moved = {"beginningAt": "2022-01-11T19:00:00Z", "bookingLimitAt": "2022-01-11T19:00:00Z"}
        self._done("PATCH", f"/v1/pro/stocks/{self.later.stock_id}", moved, self.actor.token)
        self.platform.wait_idle()

    def _second_fortnight(self) -> None:
        self.bookings["used later"] = self.scenario.make_used_booking(self.actor, self.people[1], 1_200)
        number = self.bookings["used at the desk"]["bookingId"]
        fix = {"reason": "prix affiché", "reimbursedCents": 1_500}
        self._done("POST", f"/v1/staff/bookings/{number}/correct", fix, self.staff)
        self.platform.wait_idle()

    def _third_fortnight(self) -> None:
        self.platform.move_clock_to("2021-12-10T09:00:00Z")
        self.bookings["used and not in a batch"] = self.scenario.make_used_booking(self.other, self.people[2], 1_100)
        answer = self.platform.call("DELETE", "/v1/me", None, self._signed_in(self.people[5]))
        assert answer.status == 204, answer
        self.platform.move_clock_to("2022-01-20T09:00:00Z")  # undated bookings have expired, and minors get a credit
        self.people.append(self.scenario.young_person(birth=date(2006, 2, 1)))
        self.bookings["of a minor"] = self.scenario.make_booking(self.people[-1], self.book.stock_id)
        self.platform.wait_idle()

    def _batch(self, batch: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.platform.get(f"/v1/finance/payouts/{batch['batchId']}", self.finance.token)
        return found

    def _done(self, method: str, path: str, body: Any, token: str | None) -> Any:
        answer = self.platform.call(method, path, body, token, key=key())
        assert answer.status < 300, answer
        return answer.json if answer.body else None

    def _signed_in(self, person: Beneficiary | Actor) -> str:
        return sign_in(self.platform.client, email_of(person))

    # --- reads -----------------------------------------------------------------------------------------------------

    def reads(self) -> list[tuple[str, str]]:
        """(who, path); who is a role, an e-mail address, or empty."""
        offers = [self.book, self.concert, self.later, self.free, self.film, self.elsewhere, self.bookshop, self.dear]
        found = [("", f"/v1/offers/{offer.offer_id}") for offer in offers]
        found += [
            ("", path) for path in ("/v1/offers?sort=newest", "/v1/offers?q=livre", "/v1/offers?lat=48.58&lon=7.74")
        ]
        for person in [*self.people[:4], self.people[6]]:
            own = ("/v1/me", "/v1/me/credit", "/v1/me/credit/entries", "/v1/me/bookings")
            found += [(email_of(person), path) for path in own]
        for actor in (self.actor, self.other, self.unpaid):
            found += [(email_of(actor), path) for path in self._of_actor(actor)]
        for batch in self.batches:
            path = f"/v1/finance/payouts/{batch['batchId']}"
            files = ("transfers.xml", "details.csv", "venues.csv", "wallets.csv")
            found += [("finance", one) for one in (path, *(f"{path}/{file}" for file in files))]
            found += [("finance", f"/v1/finance/establishments/{self.scenario.siret(self.actor)}/years/2021")]
        finance = ("payouts", "events", "reconciliation")
        staff = ("offers", "bank-details", "identity-checks", "offerers", "attachments")
        found += [("finance", f"/v1/finance/{what}") for what in finance]
        found += [("staff", f"/v1/staff/{what}") for what in staff]
        return found

    def client_state(self) -> dict[str, Any]:
        """What a client of the release has stored: identifiers, keys, and a response to an idempotency key."""
        return {
            "actor": email_of(self.actor),
            "apiKey": self.key,
            "book": self.book.stock_id,
            "countermark": self.bookings["of a minor"]["countermark"],
            "booked": {
                "who": email_of(self.people[2]),
                "key": KEY,
                "stockId": self.free.stock_id,
                "answer": self.bookings["free"],
            },
        }

    def _of_actor(self, actor: Actor) -> list[str]:
        files = ("bookings", "bookings.csv", "reimbursements", "reimbursements.csv", "offerers")
        venues = list(actor.venue_ids.values())
        return [
            *(f"/v1/pro/{file}" for file in files),
            f"/v1/pro/offerers/{actor.offerer_id}",
            *(f"/v1/pro/venues/{venue}" for venue in venues),
            *(f"/v1/pro/venues/{venue}/offers" for venue in venues),
        ]


def email_of(person: Beneficiary | Actor) -> str:
    return person.structure.email if isinstance(person, Actor) else person.person.email


def answers(platform: Platform, reads: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """The responses to the reads: JSON, text, or the hash of a long text."""
    tokens: dict[str, str | None] = {"": None}
    for who, _ in reads:
        if who not in tokens:
            tokens[who] = sign_in(platform.client, who) if "@" in who else platform.token(who)
    return [{"who": who, "path": path, **_answer(platform.call("GET", path, token=tokens[who]))} for who, path in reads]


def _answer(answer: Answer) -> dict[str, Any]:
    if answer.headers.get_content_type() == "application/x-ndjson":
        return {"status": answer.status, "json": [json.loads(line) for line in answer.body.splitlines()]}
    if answer.headers.get_content_type().endswith("json"):
        return {"status": answer.status, "json": answer.json}
    text = answer.body.decode("utf-8")
    content = {"text": text} if len(text) <= LONG_TEXT else {"sha256": hashlib.sha256(answer.body).hexdigest()}
    return {"status": answer.status, **content}


# --- state ----------------------------------------------------------------------------------------------------------


def add_dead_letter(platform: Platform) -> None:
    """Adds a dead letter to the gateway, as if its catalogue had failed to handle a ``VenueChanged``."""
    catalog, gateway = platform.engine("catalog"), platform.engine("gateway")
    store = Store(catalog, clock=RealClock(), aggregates=[Venue, Offer, Stock], publication=publication)
    message = next(message for message in store.messages(0, 1_000) if message.name == "VenueChanged")
    letter = {"source": "catalog", "stream": message.stream, "position": message.position, "state": "failed"}
    letter |= {"message": message.to_wire(), "error": "KeyError('a fault')", "recorded_at": message.recorded_at}
    with gateway.execution_options(writes=True).begin() as connection:
        connection.execute(dead_letters.insert(), letter)
    catalog.dispose()
    gateway.dispose()


def databases(platform: Platform) -> dict[str, bytes]:
    """Each SQLite file, or an SQL dump of all schemas of PostgreSQL with ``DATABASE`` for the database's name."""
    if platform.is_distributed:
        url = sa.make_url(platform.environment["DATABASE_URL"]).set(drivername="postgresql")
        dump = ["pg_dump", "--inserts", url.render_as_string(hide_password=False)]
        written = subprocess.run(dump, capture_output=True, check=True).stdout
        return {"dump.sql": written.replace(str(url.database).encode(), b"DATABASE")}
    files = sorted(platform.state.glob("*.sqlite"))
    for path in files:
        with sa.create_engine(f"sqlite:///{path}", poolclass=sa.pool.NullPool).connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return {path.name: path.read_bytes() for path in files}


def pack(members: dict[str, bytes], archive: Path) -> None:
    with tarfile.open(archive, "w:xz", preset=9) as packed:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))


def record(version: str, mode: str) -> None:
    with TemporaryDirectory(prefix="release-") as folder, MODES[mode](Path(folder), RANDOM_SEED="1") as platform:
        story = Story(platform)
        story.play()
        notes = {
            "version": version,
            "now": instant_text(platform.now()),
            "bookings": {name: booking["bookingId"] for name, booking in story.bookings.items()},
            "kept": story.client_state(),
            "answers": answers(platform, story.reads()),
        }
        codes = platform.stop()
        assert set(codes) == {0}, platform.log()
        add_dead_letter(platform)
        members = {"notes.json": json.dumps(notes, ensure_ascii=False, indent=1).encode(), **databases(platform)}
    pack(members, FOLDER / f"{version}-{mode}.tar.xz")


if __name__ == "__main__":
    for chosen in sys.argv[2:] or MODES:
        record(sys.argv[1], chosen)
