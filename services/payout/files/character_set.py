"""The characters that every SEPA bank must accept (EPC217-08, the Latin set), and how other text is written so."""

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
    """``text`` in the SEPA character set, cut to ``at_most``: no accents, ligatures spelled out, anything else a space.

    Empty when nothing of it can be written so (a name in another script): the caller says what stands there instead.
    A text neither begins nor ends with a slash and holds no two in a row: banks refuse those in references.
    """
    spelled = unicodedata.normalize("NFKD", text.translate(_WRITTEN_OTHERWISE))
    words = _FOREIGN.sub(" ", _ACCENT.sub("", spelled)).split()
    single_slashes = re.sub(r"/{2,}", "/", " ".join(words))
    trimmed = single_slashes.strip("/ ")[:at_most].strip("/ ")
    return trimmed if re.search(r"[A-Za-z0-9]", trimmed) else ""
