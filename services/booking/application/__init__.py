"""Booking's use cases: load, decide, store.

===========  ================================================================
requests     asking for a booking and for a restore: the saga with wallet
cancelling   by the young person, the desk, staff, and in bulk
desk         look-up, use, keep, cancel with a countermark
stocks       what catalog tells of stocks, and their quantity
standing     what is told of offers, venues, people; batches and payments
due          automatic validations and expiries
reading      bookings, counters, the recap
ledger       sums folded from the log, and rows that differ from it
mails        what people are told, and when
===========  ================================================================
"""
