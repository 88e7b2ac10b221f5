"""What payout does: load, decide, store.

===============  ==========================================================================
learning         what other services say of venues, structures and people
pricing          validations and their undoing; corrections
bank_details     where a structure is paid
custom_rules     agreements
closing          preview and close of a period
bank_answers     transfers sent and rejected, bookings reimbursed
reading          batches, files, reimbursements, establishments' years
reconciling      every figure folded from the logs, and the identities between them
requests         what a call's data must look like
===============  ==========================================================================
"""
