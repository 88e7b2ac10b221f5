"""How services talk: commands and queries in batches, messages in order, both over kombu.

=============  ===============================================================================
calls          what a service answers: handlers of commands and queries
answering      runs a batch of calls against a service
reactions      what a service does about messages
consuming      one transaction per batch of messages: tracked position, gaps, dead letters
relay          the log → the bus
bus            the client: commands and queries to other services
topology       names of exchanges and queues, and what they are declared with
local          the in-memory transport
extensions     the nameko entrypoints: the only module that knows of nameko
=============  ===============================================================================
"""
