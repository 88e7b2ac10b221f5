"""How far sources are followed and the log is published, and the messages that could not be handled."""
