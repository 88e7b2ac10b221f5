"""Booking's tables and what is asked of them.

========  =======================================================================
tables    all of them
places    what is left of stocks, live bookings, countermarks: the guards
facts     what the other services told: offers, venues, people
deciding  what the two transactions of a booking hold and read, each in one go
bookings  the read model of bookings
========  =======================================================================
"""
