"""How services talk: commands and queries in batches, messages in order, both over kombu.

============  ======================================================================================
calls         the handlers of commands and queries
answering     carries out batches of calls
bus           the client: commands and queries to other services
reactions     the handlers of messages
consuming     one transaction for a batch of messages and the tracked position; gaps, poison messages
dead_letters  lists, replays and discards messages that could not be handled
following     lets a consumer follow the new history of a restored source
storage       tracked positions, the relay's position, dead letters
relay         publishes the log, which is the outbox
reading       parses what arrives over the bus
connections   connections to RabbitMQ: sending, publishing with confirms, consuming
topology      the exchanges and queues
local         the in-process transport
============  ======================================================================================
"""
