"""Hosts services in nameko: entrypoints for calls and messages, and the background loops of a container.

========  ==============================================================================
platform  prepares stores and bus, and runs services in this process
hosted    the service of a container, with its relay, timers, tasks and received answers
calls     the entrypoints for commands and queries
feeds     the entrypoint for other services' messages
services  the base of the service classes
loops     a loop that retries with back-off and reports its health
========  ==============================================================================

A transient failure never ends a container: its loop waits, retries without end, and reports the failure in the health
of its process.
"""

from shared.hosting.calls import takes_commands, takes_queries
from shared.hosting.feeds import TakesMessages, WorkerLost, takes_messages
from shared.hosting.hosted import PROCESSES, Hosted, HostedProcess
from shared.hosting.loops import Loop
from shared.hosting.services import HostedService, messages_from

__all__ = [
    "PROCESSES",
    "Hosted",
    "HostedProcess",
    "HostedService",
    "Loop",
    "TakesMessages",
    "WorkerLost",
    "messages_from",
    "takes_commands",
    "takes_messages",
    "takes_queries",
]
