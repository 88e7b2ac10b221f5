"""Booking's use cases: load, decide, store.

===========  ================================================================
requests     bookings and restores: the saga with wallet
cancelling   by the young person, the desk, staff, and in bulk
desk         look-up, use, keep, cancel with a countermark
stocks       stocks as catalog describes them, and their quantity
standing     messages about offers, venues, people, batches and payments
due          automatic validations, expiries, warnings and reminders
reading      bookings, counters, the recap
ledger       the figures for reconciliation, folded from the log
mails        mails and pushes about bookings
===========  ================================================================
"""
