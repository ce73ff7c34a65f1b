"""Metrics, log context, traces, lag and self-test: what operators see of the service, without personal data."""
