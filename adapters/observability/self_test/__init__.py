"""The self-test: each part of the service writes and reads in the real database, and leaves nothing behind."""

from adapters.observability.self_test.runner import SelfTest

__all__ = ["SelfTest"]
