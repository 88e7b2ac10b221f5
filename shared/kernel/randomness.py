"""Chance as a port: unguessable in production, the same for the same seed and key in tests."""

from __future__ import annotations

import hashlib
import random
from typing import Protocol


class Randomness(Protocol):
    def draw(self, *key: object) -> random.Random:
        """A source of chance for one purpose. ``key`` names the purpose, so that a seeded platform draws the same
        whatever the order in which its services are asked."""


class SystemRandomness:
    """Cryptographic chance; the key is of no account."""

    def draw(self, *key: object) -> random.Random:
        return random.SystemRandom()


class SeededRandomness:
    """For simulated clocks only: chance is a function of (seed, key)."""

    def __init__(self, seed: str) -> None:
        self._seed = seed

    def draw(self, *key: object) -> random.Random:
        text = "/".join([self._seed, *(str(part) for part in key)])
        return random.Random(hashlib.sha256(text.encode()).digest())
