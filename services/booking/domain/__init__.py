"""The rules of bookings and stocks: standard library, eventsourcing, kernel and contracts only."""
