"""What all operations share, in the order that the application lists."""
