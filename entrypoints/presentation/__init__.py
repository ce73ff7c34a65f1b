"""The bodies of responses, shared by HTTP and the command line: their types, and their construction from rows."""
