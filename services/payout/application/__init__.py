"""Payout's use cases: load, decide, store."""
