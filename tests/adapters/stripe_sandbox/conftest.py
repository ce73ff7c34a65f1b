"""The running sandbox that these tests share."""

from tests.fakes.sandbox_world import lasting_world, world

__all__ = ["lasting_world", "world"]
