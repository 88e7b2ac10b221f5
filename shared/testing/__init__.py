"""What tests of every service are built with: real stores, real services in one process, no mocks."""

from shared.testing.stores import sqlite_store

__all__ = ["sqlite_store"]
