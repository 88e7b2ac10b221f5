"""The rules of payout, without a database or a bus.

==================  ==========================================================================
records             what the files of a batch are written from
scales              the dated register of reimbursement rules
revenue             into which civil year a booking falls, and whether it enters the revenue
custom_rules        agreements about one offer or one structure
pricing             one booking and the year's revenue → what is reimbursed
establishment_year  an establishment's civil year: lines in order, priced and re-priced
bank_details        where an establishment is paid
periods             fortnights and weeks, their cut-offs and labels
bank_calendar       days on which banks work
batches             a closed period: accounts, transfers, what is carried forward
refusals            how payout says no
ledger              every figure folded from the log, and the identities between them
==================  ==========================================================================
"""
