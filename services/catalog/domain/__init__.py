"""The rules of the catalogue: pure, without a database, a bus or a clock."""
