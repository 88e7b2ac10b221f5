"""Money, time, identifiers, randomness and errors: what a domain may import besides the standard library."""
