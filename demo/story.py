"""The founding document's story from June 2021 to January 2022, chapter by chapter.

Every amount that a chapter announces is compared with the platform's answer. A difference ends the story with an error.
"""

from __future__ import annotations

from datetime import date

from demo.founding_document import (
    ACTES_SUD,
    BEYONCE_VISIT,
    BOOK,
    CINEMA_STAR,
    CONCERT,
    E_BOOK,
    HARMONY,
    HERBERT_MARCUSE,
    HERITAGE_VISIT,
    LOUVRE,
    MONTPELLIER,
    MUSIC_SHOP,
    NESTOR_BURMA_SCREENING,
    OPEN_DAY,
    OPENING_FILM,
    OPERA,
    PUBLISHER_BANK,
    REEDS,
    SAXOPHONE,
    SECOND_FILM,
    STRUCTURES,
    Structure,
    schoolgirl,
    young_people,
)
from demo.narration import euros, plural
from demo.scenario import Scenario
from demo.sign_up import Actor, become_beneficiary, give_bank_details, open_venue, own_offerer, publish, register

STARTS_AT = "2021-06-01T08:00:00Z"
YOUNG_PEOPLE = 84
"""80 saxophones at 250 € are exactly 20 000 €; four more are reimbursed at the rate of the next tier."""


def play(scenario: Scenario) -> None:
    scenario.narrator.chapter(STARTS_AT[:16].replace("T", " "), "les acteurs culturels et les jeunes s'inscrivent")
    _actors_sign_up(scenario)
    _young_people_sign_up(scenario)
    _cinemas_reopen(scenario)
    _first_fortnight(scenario)
    _bank_details_come_late(scenario)
    _back_to_school(scenario)
    _heritage_days(scenario)
    _concert_and_open_day(scenario)
    _december(scenario)
    _new_year(scenario)


def _actors_sign_up(scenario: Scenario) -> None:
    for actor in scenario.narrator.each("Acteurs culturels", lambda one: _register_actor(scenario, one), STRUCTURES):
        scenario.actors[actor.structure.siren] = actor
    scenario.client.wait_idle()
    for actor in scenario.actors.values():
        offers = sum(len(venue.offers) for venue in actor.structure.venues)
        bank = f"IBAN {actor.structure.bank.iban}" if actor.structure.bank else "sans coordonnées bancaires"
        venues = plural(len(actor.structure.venues), "lieu", "lieux")
        scenario.narrator.say(f"{actor.structure.name} : {venues}, {plural(offers, 'offre')}, {bank}")
    scenario.narrator.say(
        "Commune de Montpellier : ses deux établissements partagent les coordonnées du Trésor public."
    )


def _register_actor(scenario: Scenario, structure: Structure) -> Actor:
    actor = register(scenario.client, scenario.mailbox, structure)
    if structure.bank:
        give_bank_details(scenario.client, actor, structure.bank)
    for venue in structure.venues:
        open_venue(scenario.client, actor, venue)
        for offer in venue.offers:
            publish(scenario.client, actor, venue, offer, offer.begins)
    return actor


def _young_people_sign_up(scenario: Scenario) -> None:
    people = young_people(YOUNG_PEOPLE)
    scenario.people = scenario.narrator.each(
        "Jeunes de 18 ans", lambda person: become_beneficiary(scenario.client, scenario.mailbox, person), people
    )
    granted = sum(who.credit["grantedCents"] for who in scenario.people)
    _expect("credits granted", granted, YOUNG_PEOPLE * 30_000)
    scenario.narrator.say(f"{YOUNG_PEOPLE} jeunes ont chacun 300 € pour deux ans, soit {euros(granted)} en tout.")


def _cinemas_reopen(scenario: Scenario) -> None:
    scenario.client.wait_idle()
    scenario.book_for_all("Annette : 60 réservations", scenario.people[:60], CINEMA_STAR, OPENING_FILM)
    scenario.book_for_all("Drunk : 40 réservations", scenario.people[44:84], CINEMA_STAR, SECOND_FILM)
    late = scenario.people[60]
    scenario.expect_refusal("La 61e place pour Annette", lambda: scenario.book(late, CINEMA_STAR, OPENING_FILM))
    books = scenario.book_for_all("Livre trop sympa : 12 réservations", scenario.people[:12], ACTES_SUD, BOOK)
    e_books = scenario.book_for_all(
        "Mensch ! en ligne : 3 réservations", scenario.people[20:23], HERBERT_MARCUSE, E_BOOK
    )
    _change_of_mind(scenario, books.pop(10)["bookingId"])
    books.pop(10)
    scenario.narrator.say("Une autre lectrice ne viendra jamais chercher son livre : sa réservation expirera.")

    scenario.move_clock("2021-06-14T08:00:00Z", "deux séances ont eu lieu, leurs billets se sont validés d'eux-mêmes")
    star = own_offerer(scenario.client, CINEMA_STAR, scenario.actor(CINEMA_STAR).token)["venues"]
    counters = next(venue["counters"] for venue in star if venue["name"] == "Cinéma Star")
    _expect("validated bookings of Cinéma Star", counters["validatedBookings"], 100)
    scenario.narrator.say(f"Cinéma Star : {counters['validatedBookings']} réservations validées")
    scenario.validate("Guichet d'Actes Sud : les livres", ACTES_SUD, books)
    scenario.validate("Guichet de l'Atelier : les textes en ligne", HERBERT_MARCUSE, e_books)
    used = books[0]["countermark"]
    desk = f"/v2/bookings/use/token/{used}"
    token = scenario.actor(ACTES_SUD).token
    scenario.expect_refusal(
        f"La contremarque {used} une seconde fois", lambda: scenario.client.patch(desk, token=token)
    )


def _change_of_mind(scenario: Scenario, booking: int) -> None:
    who = scenario.people[10]
    before = scenario.remaining_credit(who)
    scenario.client.post(f"/v1/me/bookings/{booking}/cancel", {}, who.token, key=f"demo/cancel/{booking}")
    after = scenario.remaining_credit(who)
    _expect("credit given back", after - before, BOOK.price)
    scenario.narrator.say(f"Une lectrice change d'avis et annule : {euros(before)} → {euros(after)} de crédit.")


def _first_fortnight(scenario: Scenario) -> None:
    scenario.move_clock("2021-06-16T08:00:00Z", "premier remboursement")
    batch = scenario.close("2021-06-15")
    _expect("paid in June", batch["totalCents"], 100 * OPENING_FILM.price + 10 * BOOK.price)
    _expect("lines without bank details", batch["withoutBankDetails"]["lines"], 3)


def _bank_details_come_late(scenario: Scenario) -> None:
    scenario.narrator.say("L'Atelier Herbert Marcuse lit « IBAN et BIC manquants » et donne ses coordonnées bancaires.")
    give_bank_details(scenario.client, scenario.actor(HERBERT_MARCUSE), PUBLISHER_BANK)
    scenario.move_clock("2021-07-01T08:00:00Z", "les lignes en attente sont payées")
    _expect("paid to the publisher", scenario.close("2021-06-30")["totalCents"], 3 * E_BOOK.price)


def _back_to_school(scenario: Scenario) -> None:
    scenario.move_clock("2021-09-10T08:00:00Z", "la rentrée : l'instrument, deuxième vente du pass après le livre")
    _expect("credit after the expiry", scenario.remaining_credit(scenario.people[11]), 30_000 - OPENING_FILM.price)
    scenario.narrator.say("Le livre jamais retiré a expiré au bout de 30 jours : 26,00 € sont revenus à sa lectrice.")
    saxophones = scenario.book_for_all("Saxophones : 84 réservations", scenario.people, MUSIC_SHOP, SAXOPHONE)
    scenario.validate("Guichet de la lutherie", MUSIC_SHOP, saxophones)
    scenario.client.wait_idle()
    _report_year(scenario, 2021)
    visits = scenario.people[30:50]
    scenario.book_for_all("Journées du patrimoine au musée : 20 visites", visits, MONTPELLIER, HERITAGE_VISIT)
    scenario.book_for_all("Ciné-club : 30 places", scenario.people[30:60], MONTPELLIER, NESTOR_BURMA_SCREENING)
    scenario.book_for_all(
        "Ciné-club : 10 fois deux places", scenario.people[60:70], MONTPELLIER, NESTOR_BURMA_SCREENING, 2
    )

    scenario.move_clock("2021-09-16T08:00:00Z", "plus de 20 000 € de ventes : la dégressivité s'applique")
    batch = scenario.close("2021-09-15")
    _expect("paid to the music shop", batch["totalCents"], 80 * 25_000 + 4 * 23_750)
    _expect("contribution of the music shop", batch["contributionCents"], 4 * 1_250)


def _heritage_days(scenario: Scenario) -> None:
    scenario.move_clock("2021-10-01T08:00:00Z", "la Commune de Montpellier : deux établissements, un virement")
    batch = scenario.close("2021-09-30")
    _expect("paid to Montpellier", batch["totalCents"], 20 * HERITAGE_VISIT.price + 50 * NESTOR_BURMA_SCREENING.price)
    _expect("transfers to Montpellier", batch["transfers"], 1)


def _concert_and_open_day(scenario: Scenario) -> None:
    scenario.book_for_all("Concert : 10 places", scenario.people[70:80], HARMONY, CONCERT)
    scenario.book_for_all("Concert : 4 fois deux places", scenario.people[80:84], HARMONY, CONCERT, 2)
    scenario.book_for_all("Tous à l'Opéra ! 25 visites gratuites", scenario.people[:25], OPERA, OPEN_DAY)
    scenario.expect_refusal("Une seconde visite pour la même personne", lambda: _book_again(scenario))

    scenario.move_clock("2021-10-16T08:00:00Z", "le concert a eu lieu")
    _expect("paid for the concert", scenario.close("2021-10-15")["totalCents"], 18 * CONCERT.price)
    scenario.move_clock("2021-11-02T08:00:00Z", "la journée portes ouvertes de l'Opéra était gratuite")
    _expect("paid for the open day", scenario.close("2021-10-31")["totalCents"], 0)


def _book_again(scenario: Scenario) -> None:
    body = {"stockId": scenario.actor(OPERA).stock_ids[OPEN_DAY.name], "quantity": 1}
    scenario.client.post("/v1/bookings", body, scenario.people[0].token, key="demo/open-day-again")


def _december(scenario: Scenario) -> None:
    scenario.move_clock("2021-12-03T09:00:00Z", "les derniers achats de l'année")
    scenario.book_for_all(
        "Le Louvre dans les pas de Beyoncé : 10 visites", scenario.people[20:30], LOUVRE, BEYONCE_VISIT
    )
    reeds = scenario.book_for_all("Anches et méthodes : 10 réservations", scenario.people[:10], MUSIC_SHOP, REEDS)
    scenario.validate("Guichet de la lutherie", MUSIC_SHOP, reeds)
    _expect("credit spent to the last cent", scenario.remaining_credit(scenario.people[0]), 0)
    scenario.narrator.say("Dix jeunes ont dépensé leurs 300 € au centime près.")
    scenario.move_clock("2021-12-16T08:00:00Z", "la lutherie est toujours au-delà de 20 000 € : 95 %")
    _expect("paid at 95 %", scenario.close("2021-12-15")["totalCents"], 10 * 1_805)


def _new_year(scenario: Scenario) -> None:
    scenario.move_clock(
        "2022-01-03T08:00:00Z", "une nouvelle année civile : les compteurs repartent de zéro, les 15-17 ans arrivent"
    )
    _expect("paid to the Louvre", scenario.close("2021-12-31")["totalCents"], 10 * BEYONCE_VISIT.price)
    person = become_beneficiary(scenario.client, scenario.mailbox, schoolgirl(date(2005, 9, 12)))
    _expect("credit at 16", person.credit["grantedCents"], 3_000)
    scenario.narrator.say(f"{person.person.first_name}, 16 ans, reçoit {euros(person.credit['grantedCents'])}.")
    scenario.client.wait_idle()
    buyers = [*scenario.people[10:20], person]
    reeds = scenario.book_for_all("Anches et méthodes : 11 réservations", buyers, MUSIC_SHOP, REEDS)
    scenario.validate("Guichet de la lutherie", MUSIC_SHOP, reeds)
    scenario.client.wait_idle()
    _report_year(scenario, 2021)
    _report_year(scenario, 2022)
    scenario.move_clock("2022-01-17T08:00:00Z", "premier remboursement de 2022, de nouveau à 100 %")
    _expect("paid at 100 % again", scenario.close("2022-01-15")["totalCents"], 11 * REEDS.price)


def _report_year(scenario: Scenario, year: int) -> None:
    state = scenario.year(MUSIC_SHOP, year)
    rate = round(float(state["rate"]) * 100)
    left = state["leftBeforeNextCents"]
    ahead = f", encore {euros(left)} avant le palier suivant" if left is not None else ""
    revenue, paid = euros(state["revenueCents"]), euros(state["reimbursedCents"])
    scale = f"barème à {rate} %, {paid} remboursés ou à rembourser{ahead}"
    scenario.narrator.say(f"Lutherie du Faubourg, {year} : {revenue} de ventes, {scale}.")


def _expect(what: str, actual: int, expected: int) -> None:
    if actual != expected:
        raise AssertionError(f"{what}: {actual}, not {expected}")
