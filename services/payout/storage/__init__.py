"""Payout's tables and their queries.

==========  ============================================================================
tables      all of them
references  what others have said of venues, structures and who works for them
years       establishments' years, restored from rows for deciding
lines       lines: for the close, for those who are paid, for one booking
batches     batches, transfers, what accounts carry forward
details     bank details and custom rules
==========  ============================================================================
"""
