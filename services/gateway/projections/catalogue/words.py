"""Words for text search: lower case, without accents, singular, without stop words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

MAX_WORD = 32
MAX_WORDS_OF_OFFER = 250
MAX_WORDS_OF_QUERY = 8
MAX_LETTERS_OF_QUERY = 80

_SEPARATORS = re.compile(r"[\W_]+")
_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        a au aux avec c ce ces d dans de des du elle en et il ils j je l la le les leur lui m ma mais me mes mon n ne
        nos notre nous ou par pas pour qu que qui s sa se ses son sur t ta te tes ton tu un une vos votre vous y
        """,
    )
)


def plain(text: str) -> str:
    """Lower case without accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold().replace("œ", "oe").replace("æ", "ae"))
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def words_of(text: str) -> list[str]:
    """The words of a text without stop words, each once, in order: ``L'École des femmes`` → ``ecole``, ``femme``."""
    found = (word[:MAX_WORD] for word in _SEPARATORS.split(plain(text)) if word)
    return list(dict.fromkeys(_singular(word) for word in found if word not in _STOP_WORDS))


def words_of_query(text: str) -> list[str]:
    """The words of a query, within the limits on their number and length."""
    words: list[str] = []
    letters = 0
    for word in words_of(text)[:MAX_WORDS_OF_QUERY]:
        letters += len(word)
        if letters > MAX_LETTERS_OF_QUERY:
            break
        words.append(word)
    return words


def weighted_words(texts: Sequence[tuple[str, int]]) -> dict[str, int]:
    """The words of several texts, each with the highest weight of the texts that have it. The heaviest are kept."""
    weights: dict[str, int] = {}
    for text, weight in sorted(texts, key=lambda item: -item[1]):
        for word in words_of(text):
            weights.setdefault(word, weight)
    return dict(list(weights.items())[:MAX_WORDS_OF_OFFER])


def after_prefix(prefix: str) -> str:
    """An upper bound, in byte order, of all texts that begin with ``prefix``."""
    return prefix + "\U0010ffff"


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word[-1] in "sx" else word
