"""Drafting: analyses transcripts and drafts campaigns, locally by rules or with OpenAI."""
