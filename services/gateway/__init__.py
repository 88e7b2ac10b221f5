"""The HTTP surface of the platform: no rule at all, one call to whoever owns the fact."""
