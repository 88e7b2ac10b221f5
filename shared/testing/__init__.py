"""Test support for all services: real stores and real services in one process, no mocks."""

from shared.testing.bus import BusDouble
from shared.testing.stores import empty_database, sqlite_store

__all__ = ["BusDouble", "empty_database", "sqlite_store"]
