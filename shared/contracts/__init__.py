"""The published language of the platform: what services say to each other, one module per publishing service."""
