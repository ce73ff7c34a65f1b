"""The HTTP interface: the table of operations, their handlers and the middleware."""
