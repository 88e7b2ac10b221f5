"""The files that leave payout: the bank's, the finance team's, and an establishment's own.

Pure functions: records in, text or bytes out. The same records give the same bytes for ever.
"""
