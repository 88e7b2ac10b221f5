"""The tables of the catalogue, and named queries on them: one module per subject."""
