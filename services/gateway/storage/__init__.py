"""The gateway's own tables beside the catalogue's, and their statements."""
