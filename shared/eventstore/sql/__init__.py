"""What SQLite and PostgreSQL write differently, behind one function each.

===========  =========================================================================
columns      types of columns: instants, JSON, numbers of 64 bits
writes       bulk writes: one statement for many rows
locks        row locks and advisory locks
parameters   conditions on any number of values, given as one parameter
arrays       values as the literal of a PostgreSQL array
dialects     SQLAlchemy's dialects, to compile and quote with outside a connection
ddl          definitions of tables and indexes
===========  =========================================================================
"""

from shared.eventstore.sql.arrays import array_of
from shared.eventstore.sql.columns import BigNumber, Instant, Json
from shared.eventstore.sql.ddl import create_tables, partial_index
from shared.eventstore.sql.dialects import insert
from shared.eventstore.sql.locks import lock, lock_rows
from shared.eventstore.sql.parameters import Many, among, among_given, pair_among_given, unnested_pairs
from shared.eventstore.sql.writes import (
    delete_many,
    insert_ignore,
    insert_many,
    insert_new,
    update_many,
    upsert,
)

__all__ = [
    "BigNumber",
    "Instant",
    "Json",
    "Many",
    "among",
    "among_given",
    "array_of",
    "create_tables",
    "delete_many",
    "insert",
    "insert_ignore",
    "insert_many",
    "insert_new",
    "lock",
    "lock_rows",
    "pair_among_given",
    "partial_index",
    "unnested_pairs",
    "update_many",
    "upsert",
]
