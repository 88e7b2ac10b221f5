"""The saga of a booking: open the request, reserve its credit, answer it.

=============  =======================================================================================================
driver         runs the three transactions for a batch of calls
batch          the calls of a batch, and what is known of each
book, restore  transaction 1 (booking): refuses a request, or records ``Requested`` and sets its places aside
credit         transaction 2 (wallet): reserves the credits of a batch in one call
answer         transaction 3 (booking): confirms a booking with a countermark, or rejects it and gives the places back
countermarks   draws countermarks
recovery       finishes requests that a crash or a silent wallet left open
=============  =======================================================================================================

Wallet always gives the same answer for the same attempt, so every request can be finished. A free
booking is confirmed in transaction 1, without wallet.

The order of the checks is that of domain.md §4.2 and decision 19: not a beneficiary, unknown stock, already booked,
quantity, stock not bookable, then wallet's checks, then no activation code.
"""
