"""The embedded Sirene directory (INSEE's register of legal persons)."""

from __future__ import annotations

import hashlib

from services.identity.domain.accounts import Structure
from services.identity.refusals import SirenClosed, SirenForeign

CLOSED = frozenset({"100000017", "100000025"})
"""SIRENs of legal persons that have ceased."""
FOREIGN = frozenset({"100000033", "100000041"})
"""SIRENs of legal persons with their seat abroad."""

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
"""The structures of the founding document. Their SIRENs are invented, except the first."""

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


class EmbeddedDirectory:
    """Knows every valid SIREN: it derives name and seat from the number."""

    def find(self, siren: str) -> Structure:
        if siren in CLOSED:
            raise SirenClosed("Cette structure a cessé son activité : vérifiez le SIREN.")
        if siren in FOREIGN:
            raise SirenForeign("Le siège de cette structure n’est pas en France : vérifiez le SIREN.")
        return NAMED.get(siren) or _derived_from(siren)


def _derived_from(siren: str) -> Structure:
    digest = hashlib.sha256(siren.encode()).digest()
    form, name = _FORMS[digest[0] % len(_FORMS)], _NAMES[digest[1] % len(_NAMES)]
    postal_code, city = _CITIES[digest[2] % len(_CITIES)]
    address = f"{1 + digest[3] % 99} {_STREETS[digest[4] % len(_STREETS)]}"
    return Structure(siren, f"{form} {name} {siren[-4:]}", address, postal_code, city)
