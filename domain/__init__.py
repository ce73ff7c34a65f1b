"""The rules for tickets and donations: values, events, aggregates, ports and commands."""
