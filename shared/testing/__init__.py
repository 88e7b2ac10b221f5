"""What tests of every service are built with: real stores, real services in one process, no mocks."""

from shared.testing.bus import BusDouble
from shared.testing.stores import sqlite_store

__all__ = ["BusDouble", "sqlite_store"]
