"""Encryption of personal data: keyrings, ticket keys, the field cipher, and key rotation."""
