"""The rules of payout, without a database or a bus.

==================  ==========================================================================
records             the records that the files of a batch are written from
scales              the dated register of reimbursement rules
revenue             the civil year of a booking, and what it adds to the year's revenue
custom_rules        rules agreed for one offer or one structure
pricing             one booking and the year's revenue → its price
establishment_year  an establishment's civil year: lines in order, priced and re-priced
bank_details        the accounts that pay structures and venues
documents           what proves bank details
periods             fortnights and weeks, their cut-offs and labels
bank_calendar       the working days of banks
batches             a closed period: accounts, transfers, amounts carried forward
ledger              the identities between the sums of the services' logs
==================  ==========================================================================
"""
