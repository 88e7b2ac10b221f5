"""What the gateway does itself beside HTTP: API keys, limits on guessing, waits for writes, the clock."""
