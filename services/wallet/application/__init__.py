"""Wallet's use cases: load, decide, store.

================  ===================================================
reserving         booking reserves and releases credit
spending          booking's messages spend, unspend and release it
granting          identity's messages grant credits
lapsing           expired credits lapse
credits, entries  what a person reads
balances, ledger  what finance and reconciliation read
unit_of_work      the wallets of one transaction
================  ===================================================
"""
