"""Before anything else is imported: sockets, locks and psycopg2 become green, as in every process of the platform."""

import eventlet

eventlet.monkey_patch()
