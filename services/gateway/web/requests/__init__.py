"""Reads requests: credentials, headers, bodies and query strings."""
