"""Prometheus metrics and health probes of each process."""
