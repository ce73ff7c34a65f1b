"""Random worlds of donations as Stripe would tell of them, and an oracle that knows what they must add up to.

Neither shares code with the ledger: they are what it is held against.
"""
