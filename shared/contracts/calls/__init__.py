"""The calls between services: one contract each, in the module of the service that answers it.

========  ============================================================
contract  what a contract is made of: typed data, authority, refusals
types     the types that contracts are written with
platform  the calls that every service answers
========  ============================================================
"""
