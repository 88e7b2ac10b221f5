"""Randomness as a port: cryptographic in production, reproducible from a seed in simulations and tests."""

from __future__ import annotations

import hashlib
import random
from typing import Protocol


class Randomness(Protocol):
    def draw(self, *key: object) -> random.Random:
        """A random generator for one purpose, named by ``key``: a seeded platform draws the same numbers in whatever
        order its services need them."""


class SystemRandomness:
    """Cryptographic randomness; ignores the key."""

    def draw(self, *key: object) -> random.Random:
        return random.SystemRandom()


class SeededRandomness:
    """Every draw is a function of (seed, key). For simulated clocks only."""

    def __init__(self, seed: str) -> None:
        self._seed = seed

    def draw(self, *key: object) -> random.Random:
        text = "/".join([self._seed, *(str(part) for part in key)])
        return random.Random(hashlib.sha256(text.encode()).digest())
