"""The catalogue's use cases: load, decide, store."""
