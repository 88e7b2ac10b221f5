"""What connects a service class to nameko: entrypoints for calls and messages, and the background loops of a container.

=======  ========================================================================
loops    a loop that retries with back-off and reports its health
hosting  the service of a container, with its relay, timers, tasks and answers
calls    entrypoints for commands and queries
feeds    the entrypoint for other services' messages
=======  ========================================================================

A transient failure never ends a container: its loop waits, retries without end, and reports the failure in the health
of its process.
"""

from shared.messaging.extensions.calls import takes_commands, takes_queries
from shared.messaging.extensions.feeds import TakesMessages, WorkerLost, takes_messages
from shared.messaging.extensions.hosting import PROCESSES, Hosted, HostedProcess
from shared.messaging.extensions.loops import Loop

__all__ = [
    "PROCESSES",
    "Hosted",
    "HostedProcess",
    "Loop",
    "TakesMessages",
    "WorkerLost",
    "takes_commands",
    "takes_messages",
    "takes_queries",
]
