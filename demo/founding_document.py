"""The actors, venues, offers and young people of the founding document, as data.

The names, the SIREN 213401722 and its IBAN are taken from the document. Identifiers that it omits, or that fail their
check digits, are replaced by valid ones. Its events of 2020 are moved to 2021. Money is in cents, instants are in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

PASSWORD = "Tous-a-l-opera-2021!"
"""The password of every account of the demonstration."""


@dataclass(frozen=True)
class BankDetails:
    iban: str
    bic: str
    holder: str


@dataclass(frozen=True)
class Offer:
    """``begins`` is the event's start in the story; ``in_days``: days until the event in ``DEMO=1``."""

    name: str
    subcategory: str
    price: int
    description: str = ""
    quantity: int | None = None
    begins: datetime | None = None
    in_days: int = 20
    is_duo: bool = False
    url: str | None = None
    duration_minutes: int | None = None


@dataclass(frozen=True)
class Venue:
    """``siret`` is None for the digital venue that every structure has."""

    name: str
    siret: str | None
    venue_type: str
    address: str
    postal_code: str
    city: str
    latitude: float
    longitude: float
    offers: tuple[Offer, ...]


@dataclass(frozen=True)
class Structure:
    """``bank`` is None without bank details, which free offers do not need."""

    name: str
    siren: str
    first_name: str
    last_name: str
    email: str
    phone: str
    bank: BankDetails | None
    venues: tuple[Venue, ...]

    def venue(self, name: str) -> Venue:
        return next(venue for venue in self.venues if venue.name == name)


@dataclass(frozen=True)
class YoungPerson:
    first_name: str
    last_name: str
    email: str
    birth: date
    phone: str
    document_number: str
    address: str
    postal_code: str
    city: str
    activity: str = "Lycéen"


def _utc(year: int, month: int, day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


# --- a municipality: one account, one bank account at the Treasury, two establishments ------------------------------

HERITAGE_VISIT = Offer(
    "Visite du Vieux Montpellier",
    "VISITE_GUIDEE",
    400,
    "Les hôtels particuliers et leurs cours, avec une médiatrice du musée.",
    quantity=40,
    begins=_utc(2021, 9, 18, 13),
    in_days=12,
    is_duo=True,
    duration_minutes=90,
)
NESTOR_BURMA_SCREENING = Offer(
    "Ciné-club : Adieu les cons",
    "SEANCE_CINE",
    500,
    "Séance suivie d'une discussion.",
    quantity=114,
    begins=_utc(2021, 9, 17, 18, 30),
    in_days=9,
    is_duo=True,
    duration_minutes=87,
)
MONTPELLIER = Structure(
    "COMMUNE DE MONTPELLIER",
    "213401722",
    "Camille",
    "Fabre",
    "culture@montpellier.example",
    "+33467347000",
    BankDetails("FR443000100572E340000000010", "BDFEFRPPCCT", "Trésorerie de Montpellier"),
    (
        Venue(
            "Musée du Vieux Montpellier",
            "21340172200110",
            "MUSEUM",
            "2 place Pétrarque",
            "34000",
            "Montpellier",
            43.61136,
            3.87812,
            (HERITAGE_VISIT,),
        ),
        Venue(
            "Cinéma Municipal Nestor Burma",
            "21340172200128",
            "MOVIE",
            "2 rue Marcellin Albert",
            "34080",
            "Montpellier",
            43.61502,
            3.84507,
            (NESTOR_BURMA_SCREENING,),
        ),
    ),
)

# --- the cinema of the dashboard: 100 validated bookings ------------------------------------------------------------

OPENING_FILM = Offer(
    "Annette",
    "SEANCE_CINE",
    500,
    "Réouverture des salles : la première séance.",
    quantity=60,
    begins=_utc(2021, 6, 9, 18, 30),
    in_days=6,
    is_duo=True,
    duration_minutes=140,
)
SECOND_FILM = Offer(
    "Drunk",
    "SEANCE_CINE",
    500,
    "Réouverture des salles : la deuxième séance.",
    quantity=40,
    begins=_utc(2021, 6, 10, 18, 30),
    in_days=7,
    is_duo=True,
    duration_minutes=117,
)
CINEMA_STAR = Structure(
    "LE CINEMATOGRAPHE (CINEMA LE STAR)",
    "812340016",
    "Sarah",
    "Lang",
    "sarah.lang@passculture.example",
    "+33631441045",
    BankDetails("FR7630004000010000000000136", "BNPAFRPPXXX", "Le Cinématographe"),
    (
        Venue(
            "Cinéma Star",
            "81234001600011",
            "MOVIE",
            "27 rue du Jeu des Enfants",
            "67000",
            "Strasbourg",
            48.58309,
            7.74312,
            (OPENING_FILM, SECOND_FILM),
        ),
    ),
)

# --- a bookshop and an online publisher -----------------------------------------------------------------------------

BOOK = Offer("Livre trop sympa", "LIVRE_PAPIER", 2600, "9782070541270", quantity=50)
ACTES_SUD = Structure(
    "ACTES SUD",
    "340863877",
    "Françoise",
    "Nyssen",
    "librairie@actes-sud.example",
    "+33490498691",
    BankDetails("FR7630004000010000000000233", "BNPAFRPPXXX", "Actes Sud"),
    (
        Venue(
            "ACTES SUD",
            "34086387700015",
            "BOOKSTORE",
            "47 rue du Docteur Fanton",
            "13200",
            "Arles",
            43.67768,
            4.62641,
            (BOOK,),
        ),
    ),
)
E_BOOK = Offer(
    "Mensch ! Où sont les Hommes ?",
    "LIVRE_NUMERIQUE",
    2600,
    "Le texte de la pièce, à lire en ligne.",
    url="https://atelier-herbert-marcuse.example/lire/{token}",
)
HERBERT_MARCUSE = Structure(
    "Atelier Herbert Marcuse",
    "812340024",
    "Philippe",
    "Adrien",
    "atelier@herbert-marcuse.example",
    "+33143289999",
    None,
    (
        Venue(
            "Offre numérique", None, "DIGITAL", "Lieu dit Cartoucherie", "75012", "Paris", 48.83534, 2.44592, (E_BOOK,)
        ),
    ),
)
PUBLISHER_BANK = BankDetails("FR7630004000010000000000330", "BNPAFRPPXXX", "Atelier Herbert Marcuse")
"""Submitted by the publisher when it sees that its lines cannot be paid."""

# --- the opera's open day, the museum's visit -----------------------------------------------------------------------

OPEN_DAY = Offer(
    "Tous à l'Opéra ! Visite privée et masterclass de Karine Deshayes",
    "VISITE_GUIDEE",
    0,
    "Visite de l'Opéra Bastille, dialogue avec la chanteuse lyrique et masterclass. Gratuit.",
    quantity=60,
    begins=_utc(2021, 10, 23, 12),
    in_days=15,
    is_duo=True,
    duration_minutes=180,
)
OPERA = Structure(
    "OPERA NATIONAL DE PARIS",
    "812340032",
    "Karine",
    "Deshayes",
    "portes-ouvertes@opera.example",
    "+33140011789",
    None,
    (
        Venue(
            "Opéra Bastille",
            "81234003200018",
            "PERFORMING_ARTS",
            "Place de la Bastille",
            "75012",
            "Paris",
            48.85219,
            2.36932,
            (OPEN_DAY,),
        ),
    ),
)
BEYONCE_VISIT = Offer(
    "Le Louvre dans les pas de Beyoncé et Jay-Z",
    "VISITE_GUIDEE",
    900,
    "Les œuvres phares du musée aperçues dans le clip Apes**t.",
    quantity=30,
    begins=_utc(2021, 12, 26, 10, 30),
    in_days=25,
    duration_minutes=90,
)
LOUVRE = Structure(
    "MUSEE DU LOUVRE",
    "812340040",
    "Laurence",
    "Descars",
    "mediation@louvre.example",
    "+33140205050",
    BankDetails("FR7630004000010000000000427", "BNPAFRPPXXX", "Musée du Louvre"),
    (
        Venue(
            "Musée du Louvre",
            "81234004000011",
            "MUSEUM",
            "Rue de Rivoli",
            "75001",
            "Paris",
            48.86061,
            2.33764,
            (BEYONCE_VISIT,),
        ),
    ),
)

# --- music: a concert and lessons, and the shop that passes 20 000 euros --------------------------------------------

CONCERT = Offer(
    "L'orchestre d'harmonie joue Ravel et Gershwin",
    "CONCERT",
    1200,
    "L'orchestre de la Confédération Musicale de France.",
    quantity=80,
    begins=_utc(2021, 10, 9, 18, 30),
    in_days=14,
    is_duo=True,
    duration_minutes=110,
)
LESSONS = Offer(
    "Cours de saxophone : un trimestre", "ABO_PRATIQUE_ART", 15000, "Avec le professeur de l'harmonie.", quantity=10
)
TRIAL_LESSON = Offer(
    "Séance d'essai : découvrir les cuivres",
    "SEANCE_ESSAI_PRATIQUE_ART",
    0,
    "Instruments prêtés.",
    quantity=12,
    begins=_utc(2021, 10, 16, 12),
    in_days=10,
    duration_minutes=60,
)
HARMONY = Structure(
    "CONFEDERATION MUSICALE DE FRANCE",
    "812340057",
    "Maurice",
    "Gershwin",
    "orchestre@cmf-musique.example",
    "+33148783942",
    BankDetails("FR7630004000010000000000524", "BNPAFRPPXXX", "Confédération Musicale de France"),
    (
        Venue(
            "Auditorium de l'harmonie",
            "81234005700015",
            "ARTISTIC_COURSE",
            "103 boulevard de Magenta",
            "75010",
            "Paris",
            48.87933,
            2.35468,
            (CONCERT, LESSONS, TRIAL_LESSON),
        ),
    ),
)
SAXOPHONE = Offer("Saxophone alto d'étude", "ACHAT_INSTRUMENT", 25000, "Avec étui et bec.", quantity=200)
REEDS = Offer("Anches, sangle et méthode", "ACHAT_INSTRUMENT", 1900, "Pour bien commencer.", quantity=200)
MUSIC_SHOP = Structure(
    "LUTHERIE DU FAUBOURG",
    "812340065",
    "Adolphe",
    "Dinant",
    "atelier@lutherie-du-faubourg.example",
    "+33322915050",
    BankDetails("FR7630004000010000000000621", "BNPAFRPPXXX", "Lutherie du Faubourg"),
    (
        Venue(
            "Lutherie du Faubourg",
            "81234006500018",
            "MUSICAL_INSTRUMENT_STORE",
            "12 rue des Jacobins",
            "80000",
            "Amiens",
            49.89164,
            2.29903,
            (SAXOPHONE, REEDS),
        ),
    ),
)

STRUCTURES = (MONTPELLIER, CINEMA_STAR, ACTES_SUD, HERBERT_MARCUSE, OPERA, LOUVRE, HARMONY, MUSIC_SHOP)

# --- the young people -----------------------------------------------------------------------------------------------

_FIRST_NAMES = ("Zoé", "Inès", "Lucas", "Amélie", "Théo", "Chloé", "Nathan", "Anaïs", "Yanis", "Léa")
_LAST_NAMES = ("Martin", "Bernard", "Petit", "Durand", "Leroy", "Moreau", "Simon", "Laurent", "Benali")
_TOWNS = (
    ("80000", "Amiens"),
    ("67000", "Strasbourg"),
    ("34000", "Montpellier"),
    ("59000", "Lille"),
    ("93200", "Saint-Denis"),
)
_OF_THE_DECK = (
    ("93 HCA 1", "pctest.jeune93.has-confirmed-activation.v1@example.com", "93200", "Saint-Denis"),
    ("97 HBSBDE 1", "pctest.jeune97.has-booked-some-but-deposit-expired.v1@example.com", "97100", "Basse-Terre"),
    ("97 HBS 1", "pctest.jeune97.has-booked-some.v1@example.com", "97100", "Basse-Terre"),
    ("93 HBS 1", "pctest.jeune93.has-booked-some.v1@example.com", "93200", "Saint-Denis"),
)
BIRTH = date(2003, 3, 15)
"""The birth date of the young people who are 18 in the story."""


def young_people(count: int, birth: date = BIRTH) -> list[YoungPerson]:
    """The four people of the document's screenshots first, then others: at most 94, with different names."""
    names = [("PC Test Jeune", *row) for row in _OF_THE_DECK]
    for last in _LAST_NAMES:
        for number, first in enumerate(_FIRST_NAMES):
            postal_code, city = _TOWNS[number % len(_TOWNS)]
            email = f"jeune{len(names) + 1}@example.com"
            names.append((first, last, email, postal_code, city))
    if count > len(names):
        raise ValueError(f"{len(names)} young people at most, not {count}")
    return [_young_person(number, *row, birth) for number, row in enumerate(names[:count])]


def schoolgirl(birth: date) -> YoungPerson:
    """A person for January 2022, when the credit for ages 15 to 17 begins."""
    return _young_person(99, "Manon", "Garnier", "manon.garnier@example.com", "80000", "Amiens", birth)


def _young_person(
    number: int, first: str, last: str, email: str, postal_code: str, city: str, birth: date
) -> YoungPerson:
    return YoungPerson(
        first_name=first,
        last_name=last,
        email=email,
        birth=birth,
        phone=f"+336{44100000 + number}",
        document_number=str(210300000000 + number),
        address=f"{number + 1} rue de la République",
        postal_code=postal_code,
        city=city,
    )
