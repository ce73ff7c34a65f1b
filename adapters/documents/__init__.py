"""Documents: campaigns, receipts and transcripts as Word and PDF files, and QR codes."""
