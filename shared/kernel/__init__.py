"""Money, time, identifiers, chance and refusals: what a domain may import beside the standard library."""
