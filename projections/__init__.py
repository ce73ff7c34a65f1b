"""What history tells: one module a read model."""
