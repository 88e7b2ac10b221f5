"""Identity: who people and structures are, and what may be known of them."""
