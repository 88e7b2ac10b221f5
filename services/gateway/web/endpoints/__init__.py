"""How a route is declared, and how it calls the service that owns the fact."""
