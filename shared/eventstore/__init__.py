"""A service's log of events, its transactions, and the messages that it leads to.

==============  ==========================================================================
mapper          domain events to rows and back, by stable names
tables          the tables that every service has, and ``migrations`` that make them
sql             what SQLite and PostgreSQL say differently
database        connections to read and to write with; ``trips``: several statements in one round trip
together        several questions in one round trip
store           transactions: rows first, the log last, under the log's lock
outcomes        what was answered to a caller's key
publication     domain events to messages
==============  ==========================================================================
"""

from sqlalchemy import Connection

from shared.eventstore.publication import Message, Publication
from shared.eventstore.store import Conflict, Store, StoreUnavailable, Transaction

__all__ = ["Conflict", "Connection", "Message", "Publication", "Store", "StoreUnavailable", "Transaction"]
