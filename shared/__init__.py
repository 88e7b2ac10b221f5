"""What every service is built on, and the language they publish. No business rule lives here."""
