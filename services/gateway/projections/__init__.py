"""Read models in the gateway's own store."""
