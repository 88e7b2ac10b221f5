"""What bodies, queries and answers look like, one module per audience."""
