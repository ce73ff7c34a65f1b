"""What an operator sees from outside: numbers, log lines that belong together, and traces. Never a person."""
