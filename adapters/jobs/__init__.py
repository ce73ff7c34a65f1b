"""Background jobs on the procrastinate queue."""
