"""Booking's use cases: load, decide, store.

===============  =====================================================
saga             books, and restores cancelled bookings, with wallet
cancelling       cancellations by the person, the desk and staff
desk             look-up, validation and its undoing at the desk
due              timers: automatic validations, expiries, warnings
stocks           stocks as catalog describes them, and their quantity
rescheduling     an event gets another date
withdrawing      stocks and offers are withdrawn
suspending       people are suspended or erased
reimbursing      batches and payments
mailing          which mails and pushes are sent, and to whom
own_bookings     a person's bookings
offer_bookings   the bookings of an offer, for partners
counters, recap  what structures see of their bookings
ledger           figures for reconciliation
===============  =====================================================
"""
