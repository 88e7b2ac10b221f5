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
from demo.sign_up import Actor, become_beneficiary, give_bank_details, open_venue, own_offerer, publish, register
from demo.stage import Stage

STARTS_AT = "2021-06-01T08:00:00Z"
YOUNG_PEOPLE = 84
"""80 saxophones at 250 € are exactly 20 000 €; four more are reimbursed at the rate of the next tier."""


def play(stage: Stage) -> None:
    stage.narrator.chapter(STARTS_AT[:16].replace("T", " "), "les acteurs culturels et les jeunes s'inscrivent")
    _actors_sign_up(stage)
    _young_people_sign_up(stage)
    _cinemas_reopen(stage)
    _first_fortnight(stage)
    _bank_details_come_late(stage)
    _back_to_school(stage)
    _heritage_days(stage)
    _concert_and_open_day(stage)
    _december(stage)
    _new_year(stage)


def _actors_sign_up(stage: Stage) -> None:
    for actor in stage.narrator.each("Acteurs culturels", lambda one: _register_actor(stage, one), STRUCTURES):
        stage.actors[actor.structure.siren] = actor
    stage.client.wait_idle()
    for actor in stage.actors.values():
        offers = sum(len(venue.offers) for venue in actor.structure.venues)
        bank = f"IBAN {actor.structure.bank.iban}" if actor.structure.bank else "sans coordonnées bancaires"
        venues = plural(len(actor.structure.venues), "lieu", "lieux")
        stage.narrator.say(f"{actor.structure.name} : {venues}, {plural(offers, 'offre')}, {bank}")
    stage.narrator.say("Commune de Montpellier : ses deux établissements partagent les coordonnées du Trésor public.")


def _register_actor(stage: Stage, structure: Structure) -> Actor:
    actor = register(stage.client, stage.letterbox, structure)
    if structure.bank:
        give_bank_details(stage.client, actor, structure.bank)
    for venue in structure.venues:
        open_venue(stage.client, actor, venue)
        for offer in venue.offers:
            publish(stage.client, actor, venue, offer, offer.begins)
    return actor


def _young_people_sign_up(stage: Stage) -> None:
    people = young_people(YOUNG_PEOPLE)
    stage.people = stage.narrator.each(
        "Jeunes de 18 ans", lambda person: become_beneficiary(stage.client, stage.letterbox, person), people
    )
    granted = sum(who.credit["grantedCents"] for who in stage.people)
    _expect("credits granted", granted, YOUNG_PEOPLE * 30_000)
    stage.narrator.say(f"{YOUNG_PEOPLE} jeunes ont chacun 300 € pour deux ans, soit {euros(granted)} en tout.")


def _cinemas_reopen(stage: Stage) -> None:
    stage.client.wait_idle()
    stage.book_for_all("Annette : 60 réservations", stage.people[:60], CINEMA_STAR, OPENING_FILM)
    stage.book_for_all("Drunk : 40 réservations", stage.people[44:84], CINEMA_STAR, SECOND_FILM)
    late = stage.people[60]
    stage.expect_refusal("La 61e place pour Annette", lambda: stage.book(late, CINEMA_STAR, OPENING_FILM))
    books = stage.book_for_all("Livre trop sympa : 12 réservations", stage.people[:12], ACTES_SUD, BOOK)
    e_books = stage.book_for_all("Mensch ! en ligne : 3 réservations", stage.people[20:23], HERBERT_MARCUSE, E_BOOK)
    _change_of_mind(stage, books.pop(10)["bookingId"])
    books.pop(10)
    stage.narrator.say("Une autre lectrice ne viendra jamais chercher son livre : sa réservation expirera.")

    stage.move_clock("2021-06-14T08:00:00Z", "deux séances ont eu lieu, leurs billets se sont validés d'eux-mêmes")
    star = own_offerer(stage.client, CINEMA_STAR, stage.actor(CINEMA_STAR).token)["venues"]
    counters = next(venue["counters"] for venue in star if venue["name"] == "Cinéma Star")
    _expect("validated bookings of Cinéma Star", counters["validatedBookings"], 100)
    stage.narrator.say(f"Cinéma Star : {counters['validatedBookings']} réservations validées")
    stage.validate("Guichet d'Actes Sud : les livres", ACTES_SUD, books)
    stage.validate("Guichet de l'Atelier : les textes en ligne", HERBERT_MARCUSE, e_books)
    used = books[0]["countermark"]
    desk = f"/v2/bookings/use/token/{used}"
    token = stage.actor(ACTES_SUD).token
    stage.expect_refusal(f"La contremarque {used} une seconde fois", lambda: stage.client.patch(desk, token=token))


def _change_of_mind(stage: Stage, booking: int) -> None:
    who = stage.people[10]
    before = stage.remaining_credit(who)
    stage.client.post(f"/v1/me/bookings/{booking}/cancel", {}, who.token, key=f"demo/cancel/{booking}")
    after = stage.remaining_credit(who)
    _expect("credit given back", after - before, BOOK.price)
    stage.narrator.say(f"Une lectrice change d'avis et annule : {euros(before)} → {euros(after)} de crédit.")


def _first_fortnight(stage: Stage) -> None:
    stage.move_clock("2021-06-16T08:00:00Z", "premier remboursement")
    batch = stage.close("2021-06-15")
    _expect("paid in June", batch["totalCents"], 100 * OPENING_FILM.price + 10 * BOOK.price)
    _expect("lines without bank details", batch["withoutBankDetails"]["lines"], 3)


def _bank_details_come_late(stage: Stage) -> None:
    stage.narrator.say("L'Atelier Herbert Marcuse lit « IBAN et BIC manquants » et donne ses coordonnées bancaires.")
    give_bank_details(stage.client, stage.actor(HERBERT_MARCUSE), PUBLISHER_BANK)
    stage.move_clock("2021-07-01T08:00:00Z", "les lignes en attente sont payées")
    _expect("paid to the publisher", stage.close("2021-06-30")["totalCents"], 3 * E_BOOK.price)


def _back_to_school(stage: Stage) -> None:
    stage.move_clock("2021-09-10T08:00:00Z", "la rentrée : l'instrument, deuxième vente du pass après le livre")
    _expect("credit after the expiry", stage.remaining_credit(stage.people[11]), 30_000 - OPENING_FILM.price)
    stage.narrator.say("Le livre jamais retiré a expiré au bout de 30 jours : 26,00 € sont revenus à sa lectrice.")
    saxophones = stage.book_for_all("Saxophones : 84 réservations", stage.people, MUSIC_SHOP, SAXOPHONE)
    stage.validate("Guichet de la lutherie", MUSIC_SHOP, saxophones)
    stage.client.wait_idle()
    _report_year(stage, 2021)
    visits = stage.people[30:50]
    stage.book_for_all("Journées du patrimoine au musée : 20 visites", visits, MONTPELLIER, HERITAGE_VISIT)
    stage.book_for_all("Ciné-club : 30 places", stage.people[30:60], MONTPELLIER, NESTOR_BURMA_SCREENING)
    stage.book_for_all("Ciné-club : 10 fois deux places", stage.people[60:70], MONTPELLIER, NESTOR_BURMA_SCREENING, 2)

    stage.move_clock("2021-09-16T08:00:00Z", "plus de 20 000 € de ventes : la dégressivité s'applique")
    batch = stage.close("2021-09-15")
    _expect("paid to the music shop", batch["totalCents"], 80 * 25_000 + 4 * 23_750)
    _expect("contribution of the music shop", batch["contributionCents"], 4 * 1_250)


def _heritage_days(stage: Stage) -> None:
    stage.move_clock("2021-10-01T08:00:00Z", "la Commune de Montpellier : deux établissements, un virement")
    batch = stage.close("2021-09-30")
    _expect("paid to Montpellier", batch["totalCents"], 20 * HERITAGE_VISIT.price + 50 * NESTOR_BURMA_SCREENING.price)
    _expect("transfers to Montpellier", batch["transfers"], 1)


def _concert_and_open_day(stage: Stage) -> None:
    stage.book_for_all("Concert : 10 places", stage.people[70:80], HARMONY, CONCERT)
    stage.book_for_all("Concert : 4 fois deux places", stage.people[80:84], HARMONY, CONCERT, 2)
    stage.book_for_all("Tous à l'Opéra ! 25 visites gratuites", stage.people[:25], OPERA, OPEN_DAY)
    stage.expect_refusal("Une seconde visite pour la même personne", lambda: _book_again(stage))

    stage.move_clock("2021-10-16T08:00:00Z", "le concert a eu lieu")
    _expect("paid for the concert", stage.close("2021-10-15")["totalCents"], 18 * CONCERT.price)
    stage.move_clock("2021-11-02T08:00:00Z", "la journée portes ouvertes de l'Opéra était gratuite")
    _expect("paid for the open day", stage.close("2021-10-31")["totalCents"], 0)


def _book_again(stage: Stage) -> None:
    body = {"stockId": stage.actor(OPERA).stock_ids[OPEN_DAY.name], "quantity": 1}
    stage.client.post("/v1/bookings", body, stage.people[0].token, key="demo/open-day-again")


def _december(stage: Stage) -> None:
    stage.move_clock("2021-12-03T09:00:00Z", "les derniers achats de l'année")
    stage.book_for_all("Le Louvre dans les pas de Beyoncé : 10 visites", stage.people[20:30], LOUVRE, BEYONCE_VISIT)
    reeds = stage.book_for_all("Anches et méthodes : 10 réservations", stage.people[:10], MUSIC_SHOP, REEDS)
    stage.validate("Guichet de la lutherie", MUSIC_SHOP, reeds)
    _expect("credit spent to the last cent", stage.remaining_credit(stage.people[0]), 0)
    stage.narrator.say("Dix jeunes ont dépensé leurs 300 € au centime près.")
    stage.move_clock("2021-12-16T08:00:00Z", "la lutherie est toujours au-delà de 20 000 € : 95 %")
    _expect("paid at 95 %", stage.close("2021-12-15")["totalCents"], 10 * 1_805)


def _new_year(stage: Stage) -> None:
    stage.move_clock(
        "2022-01-03T08:00:00Z", "une nouvelle année civile : les compteurs repartent de zéro, les 15-17 ans arrivent"
    )
    _expect("paid to the Louvre", stage.close("2021-12-31")["totalCents"], 10 * BEYONCE_VISIT.price)
    person = become_beneficiary(stage.client, stage.letterbox, schoolgirl(date(2005, 9, 12)))
    _expect("credit at 16", person.credit["grantedCents"], 3_000)
    stage.narrator.say(f"{person.person.first_name}, 16 ans, reçoit {euros(person.credit['grantedCents'])}.")
    stage.client.wait_idle()
    buyers = [*stage.people[10:20], person]
    reeds = stage.book_for_all("Anches et méthodes : 11 réservations", buyers, MUSIC_SHOP, REEDS)
    stage.validate("Guichet de la lutherie", MUSIC_SHOP, reeds)
    stage.client.wait_idle()
    _report_year(stage, 2021)
    _report_year(stage, 2022)
    stage.move_clock("2022-01-17T08:00:00Z", "premier remboursement de 2022, de nouveau à 100 %")
    _expect("paid at 100 % again", stage.close("2022-01-15")["totalCents"], 11 * REEDS.price)


def _report_year(stage: Stage, year: int) -> None:
    state = stage.year(MUSIC_SHOP, year)
    rate = round(float(state["rate"]) * 100)
    left = state["leftBeforeNextCents"]
    ahead = f", encore {euros(left)} avant le palier suivant" if left is not None else ""
    revenue, paid = euros(state["revenueCents"]), euros(state["reimbursedCents"])
    scale = f"barème à {rate} %, {paid} remboursés ou à rembourser{ahead}"
    stage.narrator.say(f"Lutherie du Faubourg, {year} : {revenue} de ventes, {scale}.")


def _expect(what: str, actual: int, expected: int) -> None:
    if actual != expected:
        raise AssertionError(f"{what}: {actual}, not {expected}")
