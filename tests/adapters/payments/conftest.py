"""The running sandbox against which the gateway is tested."""

from tests.fakes.sandbox_world import lasting_world, world

__all__ = ["lasting_world", "world"]
