"""A service's log of events, its transactions, and the messages that it leads to.

===========  ===========================================================================
store        transactions: rows first, then the log, under the log's lock
log          appends events in a total order, reads streams and published messages
mapper       domain events to rows and back, by stable names
projection   read models that are folded in the transaction of their events
publication  domain events to messages
outcomes     the outcomes of calls by idempotency key
context      the cause that goes with every event, and the positions of commits
histories    the epochs of a store: a new one after each restore
tables       the tables that every service has; ``migrations`` creates them
database     reading from and writing to an engine of ``engines``
engines      connections to PostgreSQL and SQLite
errors       the errors of the database that callers handle
clock        the stored instant of a simulated clock
waiting      waits for PostgreSQL without blocking other green threads, with a time-out
batching     statement batching: several statements in one round trip
combined     several selects in one round trip
sql          what SQLite and PostgreSQL write differently
===========  ===========================================================================
"""

from sqlalchemy import Connection, Engine, Row

from shared.eventstore.errors import Conflict, StoreUnavailable
from shared.eventstore.publication import Message, Publication
from shared.eventstore.store import Store, Transaction

__all__ = [
    "Conflict",
    "Connection",
    "Engine",
    "Message",
    "Publication",
    "Row",
    "Store",
    "StoreUnavailable",
    "Transaction",
]
