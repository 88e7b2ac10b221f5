"""Distances on the sphere.

They are compared as squared chords of the unit sphere: simple arithmetic that grows with the great-circle distance,
from which kilometres follow exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

EARTH_KM = 6371.0088
"""Mean radius."""
MIN_RADIUS_KM = 0.001
"""A radius of 0 is one metre, as in the real application."""


def on_sphere(lat: float, lon: float) -> tuple[float, float, float]:
    """Degrees → the point of the unit sphere."""
    phi, theta = math.radians(lat), math.radians(lon)
    return math.cos(phi) * math.cos(theta), math.cos(phi) * math.sin(theta), math.sin(phi)


def squared_chord(km: float) -> float:
    """Of the great-circle distance ``km``."""
    return float((2 * math.sin(min(km / EARTH_KM, math.pi) / 2)) ** 2)


def kilometres(chord_squared: float) -> float:
    """Along the great circle, to the metre."""
    return round(2 * EARTH_KM * math.asin(min(1.0, math.sqrt(chord_squared) / 2)), 3)


@dataclass(frozen=True, slots=True)
class Box:
    """Degrees that hold a circle. ``lon`` None: every longitude; west greater than east: over the 180th meridian."""

    south: float
    north: float
    lon: tuple[float, float] | None


def box_around(lat: float, lon: float, km: float) -> Box:
    """The smallest box of degrees around the circle."""
    angle = min(km / EARTH_KM, math.pi)
    reach = math.degrees(angle)
    south, north = max(-90.0, lat - reach), min(90.0, lat + reach)
    if south <= -90 or north >= 90 or angle >= math.pi / 2:
        return Box(south, north, None)
    width = math.degrees(math.asin(min(1.0, math.sin(angle) / math.cos(math.radians(lat)))))
    return Box(south, north, (_within_180(lon - width), _within_180(lon + width)))


def _within_180(lon: float) -> float:
    return (lon + 180) % 360 - 180
