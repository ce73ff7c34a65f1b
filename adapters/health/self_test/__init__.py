"""The self-test: each part of the service writes to and reads from the real database, in a transaction rolled back."""

from adapters.health.self_test.runner import SelfTest

__all__ = ["SelfTest"]
