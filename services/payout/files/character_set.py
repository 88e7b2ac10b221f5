"""The characters that every SEPA bank must accept (EPC217-08, the Latin set), and how other text is written with them."""

from __future__ import annotations

import re
import unicodedata

_WRITTEN_OTHERWISE = str.maketrans(
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
_FOREIGN = re.compile(r"[^A-Za-z0-9/\-?:().,'+ ]")


def sepa_text(text: str, *, at_most: int) -> str:
    """``text`` in the SEPA character set: accents dropped, ligatures spelled out, anything else a space; cut to ``at_most``.

    Empty when nothing of it can be written so (a name in another script): the caller says what stands there instead.
    A text neither begins nor ends with a slash and holds no two in a row: banks refuse those in references.
    """
    spelled = unicodedata.normalize("NFKD", text.translate(_WRITTEN_OTHERWISE))
    plain = "".join(character for character in spelled if not unicodedata.combining(character))
    words = _FOREIGN.sub(" ", plain).split()
    single_slashes = re.sub(r"/{2,}", "/", " ".join(words))
    trimmed = single_slashes.strip("/ ")[:at_most].strip("/ ")
    return trimmed if re.search(r"[A-Za-z0-9]", trimmed) else ""
