"""Booking's tables, and named queries on them: one module per topic.

================  =====================================================
tables            all of them
stocks            stocks under row locks, and the counts of their places
live_bookings     claims of offers: one live booking per person and offer
countermarks      countermarks, unique for ever
activation_codes  the codes of stocks
open_requests     requests that wait for wallet's answer
saga              the combined reads of the saga's transactions
bookings          bookings by number, countermark, person, offer and stock
counters, recap   what structures read of their bookings
due               the timers
references        copies of other services' facts
access            the structures that a caller acts for
mail_progress     the position up to which mails are written
================  =====================================================
"""
