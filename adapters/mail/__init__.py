"""Mails: queued with what they tell, sent after it, and forgotten once they are out."""
