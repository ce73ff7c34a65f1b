"""The bodies of responses, shared by HTTP and the command line: their types, and how they are made from rows."""
