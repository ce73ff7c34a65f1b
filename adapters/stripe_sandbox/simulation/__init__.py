"""Random donations with the events that Stripe would send about them, and an oracle that computes the correct ledger.

Tests compare the ledger with the oracle, so neither shares any calculation with the ledger.
"""
