"""The self-test: each part of the service writes and reads in the real database, and leaves nothing behind."""

from adapters.self_test.running import SelfTest

__all__ = ["SelfTest"]
