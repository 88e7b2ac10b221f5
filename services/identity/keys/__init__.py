"""The store of persons' keys: one table, with a history and backups of its own."""

from services.identity.keys.store import KeyStore, move_in

__all__ = ["KeyStore", "move_in"]
