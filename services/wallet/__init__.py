"""Wallet: young people's credits, and what their bookings hold of them."""
