"""What the platform shows of itself: Prometheus metrics and health, by process."""
