"""The outside translated: stores, speech, drafting, Stripe, documents, jobs."""
