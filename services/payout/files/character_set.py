"""The characters that every SEPA bank must accept (EPC217-08, Latin set), and the transliteration of others to them."""

from __future__ import annotations

import re
import unicodedata

_TRANSLITERATED = str.maketrans(
    {
        "Œ": "OE",
        "œ": "oe",
        "Æ": "AE",
        "æ": "ae",
        "ß": "ss",
        "Ø": "O",
        "ø": "o",
        "Đ": "D",
        "đ": "d",
        "Ł": "L",
        "ł": "l",
        "ı": "i",
        "&": " + ",
        "€": " EUR ",
        "°": "o",
        "@": "(at)",
        "_": "-",
        "–": "-",
        "—": "-",
        "’": "'",
        "‘": "'",
        "«": "'",
        "»": "'",
        '"': "'",
        "“": "'",
        "”": "'",
        "[": "(",
        "]": ")",
        ";": ",",
    }
)
_ACCENT = re.compile("[\u0300-\u036f]")
_FOREIGN = re.compile(r"[^A-Za-z0-9/\-?:().,'+ ]")


def sepa_text(text: str, *, at_most: int) -> str:
    """``text`` in the SEPA character set, at most ``at_most`` characters of it.

    Accents are dropped, ligatures spelled out, and any other character becomes a space. Empty when no letter or digit
    is left (a name in another script): the caller chooses a replacement. The result has no slash at its ends and no two
    in a row, because banks refuse those in references.
    """
    spelled = unicodedata.normalize("NFKD", text.translate(_TRANSLITERATED))
    words = _FOREIGN.sub(" ", _ACCENT.sub("", spelled)).split()
    single_slashes = re.sub(r"/{2,}", "/", " ".join(words))
    trimmed = single_slashes.strip("/ ")[:at_most].strip("/ ")
    return trimmed if re.search(r"[A-Za-z0-9]", trimmed) else ""
