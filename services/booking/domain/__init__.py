"""What a booking and a stock may do, and when: the standard library, eventsourcing, kernel and contracts only."""
