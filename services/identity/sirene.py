"""The Sirene directory (INSEE's register of legal persons) as a port, and the embedded one."""

from __future__ import annotations

import hashlib
from typing import Protocol

from services.identity.domain.accounts import Structure
from services.identity.domain.errors import SirenClosed, SirenForeign, SirenInvalid
from shared.kernel import identifiers

CLOSED = frozenset({"100000017", "100000025"})
"""SIRENs that the embedded directory knows as ceased."""
FOREIGN = frozenset({"100000033", "100000041"})
"""SIRENs of companies whose seat is abroad."""

NAMED = {
    structure.siren: structure
    for structure in (
        Structure("213401722", "COMMUNE DE MONTPELLIER", "1 PLACE GEORGES FRECHE", "34000", "MONTPELLIER"),
        Structure("340863877", "ACTES SUD", "47 RUE DU DOCTEUR FANTON", "13200", "ARLES"),
        Structure(
            "812340016", "LE CINEMATOGRAPHE (CINEMA LE STAR)", "27 RUE DU JEU DES ENFANTS", "67000", "STRASBOURG"
        ),
        Structure("812340024", "ATELIER HERBERT MARCUSE", "LIEU DIT CARTOUCHERIE", "75012", "PARIS"),
        Structure("812340032", "OPERA NATIONAL DE PARIS", "PLACE DE LA BASTILLE", "75012", "PARIS"),
        Structure("812340040", "MUSEE DU LOUVRE", "RUE DE RIVOLI", "75001", "PARIS"),
        Structure("812340057", "CONFEDERATION MUSICALE DE FRANCE", "103 BOULEVARD DE MAGENTA", "75010", "PARIS"),
        Structure("812340065", "LUTHERIE DU FAUBOURG", "12 RUE DES JACOBINS", "80000", "AMIENS"),
    )
}
"""The founding document's structures under their names; but for the first, their SIRENs are made up."""

_FORMS = ("ASSOCIATION", "THEATRE", "CINEMA", "LIBRAIRIE", "CONSERVATOIRE", "MUSEE", "COMPAGNIE", "ORCHESTRE")
_NAMES = ("DES ARTS", "DU PARC", "DE LA GARE", "LE STAR", "DES LILAS", "DU PORT", "SAINT-MICHEL", "DE LA PLACE")
_STREETS = ("RUE DE LA PAIX", "RUE VICTOR HUGO", "AVENUE DE LA REPUBLIQUE", "PLACE DU MARCHE", "RUE DES ARTS")
_CITIES = (
    ("67000", "STRASBOURG"),
    ("80000", "AMIENS"),
    ("59000", "LILLE"),
    ("34000", "MONTPELLIER"),
    ("75011", "PARIS"),
    ("97400", "SAINT-DENIS"),
)


class StructureDirectory(Protocol):
    """Finds a legal person. May take its time: never called within a transaction."""

    def find(self, siren: str) -> Structure:
        """Raises SirenInvalid, SirenClosed, SirenForeign; Unavailable when the directory does not answer."""


class EmbeddedDirectory:
    """Knows any valid SIREN: its name and seat are made from the number, the same ones each time."""

    def find(self, siren: str) -> Structure:
        if siren in CLOSED:
            raise SirenClosed("this structure has ceased", errors={"siren": ["ceased"]})
        if siren in FOREIGN:
            raise SirenForeign("this structure's seat is not in France", errors={"siren": ["seat not in France"]})
        return NAMED.get(siren) or _made_from(siren)


def valid_siren(text: str) -> str:
    """Nine digits with their check digit. Raises SirenInvalid."""
    try:
        return identifiers.siren(text)
    except ValueError:
        raise SirenInvalid("this is not a valid SIREN", errors={"siren": ["not a valid SIREN"]}) from None


def _made_from(siren: str) -> Structure:
    chance = hashlib.sha256(siren.encode()).digest()
    form, name = _FORMS[chance[0] % len(_FORMS)], _NAMES[chance[1] % len(_NAMES)]
    postal_code, city = _CITIES[chance[2] % len(_CITIES)]
    address = f"{1 + chance[3] % 99} {_STREETS[chance[4] % len(_STREETS)]}"
    return Structure(siren, f"{form} {name} {siren[-4:]}", address, postal_code, city)
