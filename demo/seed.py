"""Loads the founding document's actors, venues, offers and a few young people into a running platform (``DEMO=1``).

It uses the public HTTP API. Running it again adds only what is missing. ``python -m demo.seed`` loads them into the
platform of the environment's settings, which must be ready.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, time, timedelta
from pathlib import Path

from demo.client import Client, Mailbox, Refusal
from demo.founding_document import PASSWORD, STRUCTURES, Structure, Venue, YoungPerson, young_people
from demo.sign_up import (
    Actor,
    become_beneficiary,
    finish_steps,
    give_bank_details,
    open_venue,
    own_offerer,
    publish,
    register,
    sign_in,
)
from shared.kernel.time import parse_instant
from shared.runtime.settings import BadSettings, Settings
from shared.runtime.tokens import COMMAND_LINE, access_token

YOUNG_PEOPLE = 3
MAX_UNKNOWN = 3
AGE = timedelta(days=18 * 365 + 100)
"""18 years and three months, leap days included."""
EVENT_TIME = time(18, 30)
"""The start of events, in UTC."""


def seed(
    base_url: str,
    token_of: Callable[[str], str],
    mail: Path,
    sms: Path,
    now: datetime,
    say: Callable[[str], None] = print,
) -> None:
    """Loads what is missing and lists the accounts.

    ``token_of(role)`` returns a token for ``staff`` or ``operator``; ``mail`` and ``sms`` are the folders that the
    platform writes to; ``now`` is the time of its clock. An account that was changed (another password, erased) is not
    touched but reported.
    """
    client, mailbox = Client(base_url, token_of), Mailbox(mail, sms)
    sign_ins = _SignIns(client)
    people = young_people(YOUNG_PEOPLE, (now - AGE).date())
    changed: set[str] = set()
    for structure in STRUCTURES:
        with _reporting_changed_account(structure.email, changed, say):
            _actor(client, mailbox, structure, sign_ins.token_of_account(structure.email), now)
    for person in people:
        with _reporting_changed_account(person.email, changed, say):
            _young_person(client, mailbox, person, sign_ins.token_of_account(person.email))
    _list_accounts(people, changed, say)


@contextmanager
def _reporting_changed_account(email: str, changed: set[str], say: Callable[[str], None]) -> Iterator[None]:
    try:
        yield
    except (Refusal, TimeoutError) as failure:
        why = failure.code if isinstance(failure, Refusal) else str(failure)
        say(f"{email} was changed since it was created, and is skipped ({why})")
        changed.add(email)


class _SignIns:
    """Signs people in. Failures are limited per IP address: after a few unknown accounts in a row it tries no more."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._unknown = 0

    def token_of_account(self, email: str) -> str | None:
        """An access token, or None if the account does not exist or has another password."""
        if self._unknown >= MAX_UNKNOWN:
            return None
        try:
            token = sign_in(self._client, email)
        except Refusal as refusal:
            if refusal.status not in (401, 403):
                raise
            self._unknown += 1
            return None
        self._unknown = 0
        return token


def _actor(client: Client, mailbox: Mailbox, structure: Structure, token: str | None, now: datetime) -> None:
    if token is None:
        actor = register(client, mailbox, structure)
        if structure.bank:
            give_bank_details(client, actor, structure.bank)
    else:
        actor = Actor(structure, token, own_offerer(client, structure, token)["offererId"])
    for venue in structure.venues:
        _venue(client, actor, venue, now)


def _venue(client: Client, actor: Actor, venue: Venue, now: datetime) -> None:
    venues = own_offerer(client, actor.structure, actor.token)["venues"]
    existing = next((own for own in venues if own["siret"] == venue.siret), None)
    if existing is None:
        open_venue(client, actor, venue)
        client.wait_idle()
    else:
        actor.venue_ids[venue.name] = existing["venueId"]
        if existing["counters"]["activeOffers"] + existing["counters"]["soldOutOffers"] > 0:
            return
    for offer in venue.offers:
        day = (now + timedelta(days=offer.in_days)).date()
        publish(client, actor, venue, offer, datetime.combine(day, EVENT_TIME, now.tzinfo) if offer.begins else None)


def _young_person(client: Client, mailbox: Mailbox, person: YoungPerson, token: str | None) -> None:
    if token is None:
        become_beneficiary(client, mailbox, person)
    else:
        finish_steps(client, mailbox, person, token)


def _list_accounts(people: list[YoungPerson], changed: set[str], say: Callable[[str], None]) -> None:
    who = [("cultural actor", one.email, one.name) for one in STRUCTURES]
    who += [("young person", one.email, f"{one.first_name} {one.last_name}, 300 €") for one in people]
    width = max(len(email) for _, email, _ in who)
    say(f"Who can sign in, all with the password {PASSWORD}")
    for kind, email, name in who:
        if email not in changed:
            say(f"  {kind:14}  {email:{width}}  {name}")
    say("  staff, finance, operator: an access token from `passculture token ROLE`")


def main() -> int:
    try:
        settings = Settings.from_environment()
        base_url = f"http://{'127.0.0.1' if settings.bind == '0.0.0.0' else settings.bind}:{settings.port}"
        mail, sms = _folder("MAIL_URL", settings.mail_url), _folder("SMS_URL", settings.sms_url)

        def token_of(role: str) -> str:
            return access_token(COMMAND_LINE, frozenset({role}), settings.signing_key)

        seed(base_url, token_of, mail, sms, _now(base_url, token_of))
    except (BadSettings, Refusal, TimeoutError, OSError) as failure:
        print(f"the founding document's actors were not loaded: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1  # the platform is being stopped
    return 0


def _folder(setting: str, url: str) -> Path:
    folder = url.removeprefix("file:")
    if folder == url:
        raise BadSettings(f"{setting} is {url}: confirmation links can only be read from a folder (file:/…)")
    return Path(folder[2:] if folder.startswith("///") else folder)


def _now(base_url: str, token_of: Callable[[str], str]) -> datetime:
    """The time of the platform's clock: a simulated one may be far from its start."""
    return parse_instant(Client(base_url, token_of).get("/v1/settings")["now"])


if __name__ == "__main__":
    sys.exit(main())
