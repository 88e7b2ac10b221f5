"""Read models: tables that answer one question each, folded from events or from other services' messages.

==========  ======================================================================
followed    read models of messages; those of the service's own events are
            a ``Projection`` of the event store
folding     folds read models a second time, into a scratch database
rebuilding  compares a read model with a second fold, or replaces its rows by it
==========  ======================================================================
"""

from shared.eventstore.projection import Projection, Rows, on

__all__ = ["Projection", "Rows", "on"]
