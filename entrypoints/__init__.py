"""Who talks to us: HTTP, pages, worker, command line, and the one place that builds things."""
