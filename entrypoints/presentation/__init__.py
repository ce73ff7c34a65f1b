"""Answers as clients see them, for HTTP and the command line alike."""
