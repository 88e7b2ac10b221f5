"""The store of people's keys: one table, with migrations and backups of its own."""

from services.identity.keys.former import move_former_keys
from services.identity.keys.store import KeyStore

__all__ = ["KeyStore", "move_former_keys"]
