"""Whether a text that people read is French, with "vous" and French typography."""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ENGLISH = _words(
    "already an and another are at be been by can cannot did does for from has have in invalid is it its longer many "
    "missing must no not now of only shorter than that the there these this to too unknown was when which who with "
    "you your"
)
FRENCH = _words(
    "a au aucun aucune aux avec ce ces cet cette d dans de des déjà du elle en entre est et il inconnu l la le les "
    "leur n ne ou par pas plus pour qu que réessayez s sa ses son sur trop un une vos votre vous à été"
)
FAMILIAR = _words("tu toi te ton ta tes")
_WORD = re.compile(r"[^\W\d_]+")
_BREAKABLE = re.compile(r" [:;!?»€]|« ")
_STRAIGHT_APOSTROPHE = re.compile(r"[^\W\d_]'[^\W\d_]")


def objection(text: str) -> str | None:
    """Why it is not a French sentence; None if it is one."""
    words = {word.lower() for word in _WORD.findall(text)}
    if foreign := words & ENGLISH:
        return f"English words {sorted(foreign)}"
    if not words & FRENCH:
        return "no French word"
    return f"familiar: {sorted(words & FAMILIAR)}" if words & FAMILIAR else None


def typographic_objection(text: str) -> str | None:
    """A space that a line may break at, or an apostrophe of typewriters."""
    wrong = _BREAKABLE.search(text) or _STRAIGHT_APOSTROPHE.search(text)
    return f"{wrong[0]!r}" if wrong else None
