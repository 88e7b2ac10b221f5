"""What cultural actors are owed: prices of validated bookings, batches, transfers, and the proof that all adds up."""
