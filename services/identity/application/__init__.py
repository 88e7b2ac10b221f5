"""Identity's use cases: load, decide, store.

A use case of one transaction is a function of a unit of work and a call. One that opens its own transactions, because
it hashes a password, asks a port or commits although it refuses, is a function of the ports and a call.
"""
