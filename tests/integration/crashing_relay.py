"""A relay that is killed after the broker has confirmed a batch, before it stores its position: ``… URL NAMESPACE``."""

from __future__ import annotations

from shared import green

green.monkey_patch()

import os  # noqa: E402  # after the patch
import signal  # noqa: E402
import sys  # noqa: E402
from collections.abc import Sequence  # noqa: E402

from shared.eventstore import Message  # noqa: E402
from shared.messaging.connections import EventPublisher  # noqa: E402
from shared.messaging.relay import Relay  # noqa: E402
from tests.servers import AMQP  # noqa: E402
from tests.unit.shared.toy import open_store  # noqa: E402


def main() -> None:
    url, namespace = sys.argv[1:]
    store = open_store(url, service="source", schema="source")
    publisher = EventPublisher(AMQP, namespace, "source")

    def publish_and_die(messages: Sequence[Message]) -> None:
        publisher.publish(messages)
        os.kill(os.getpid(), signal.SIGKILL)

    relay = Relay(store, publish_and_die)
    relay.start()
    relay.send()


if __name__ == "__main__":
    main()
