"""Bookings and countermarks, and how many of a stock are left."""
