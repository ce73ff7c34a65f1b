"""Text messages to phones: how they are written, limited and sent. They wait in the same outbox as mails."""
