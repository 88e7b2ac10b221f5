"""Use cases: which wallets a decision is about, the decision, and what is kept of it."""
