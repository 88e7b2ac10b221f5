"""Payout's files: for the bank, the finance team and cultural actors.

Pure functions from records to text or bytes: the same records always give the same bytes.
"""
