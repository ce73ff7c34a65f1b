"""The HTTP interface: a table of operations, and what is common to all of them."""
