"""What is outside identity, behind ports: password hashing, the identity-check provider, the Sirene directory."""
