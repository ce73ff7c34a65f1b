"""What is true about tickets: values, events, aggregates, and what may be asked of them."""
