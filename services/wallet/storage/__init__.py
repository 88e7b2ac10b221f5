"""Wallet's tables, and named queries on them: one module per topic."""
