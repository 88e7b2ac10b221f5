"""What a booking, a countermark and a stock's places may do, and when. Standard library, eventsourcing and kernel only."""
