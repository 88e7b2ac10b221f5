"""Booking's tables and what is asked of them.

========  =======================================================================
tables    all of them
rows      many rows in one statement, on either database
places    what is left of stocks, live bookings, countermarks: the guards
facts     what the other services told: offers, venues, people
bookings  the read model of bookings
========  =======================================================================
"""
