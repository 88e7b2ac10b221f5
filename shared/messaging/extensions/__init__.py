"""The nameko side: a service class says what it takes, these entrypoints bring it.

=======  ==================================================================
loops    what goes on for as long as a container lives
hosting  the service of a container, built once, and all that runs with it
calls    commands and queries
feeds    the other services' messages
=======  ==================================================================

Whatever waits on the world here waits with backoff and for ever, says so in the process's ``parts``, and never ends
the container.
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
