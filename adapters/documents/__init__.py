"""What we hand to people: campaigns, receipts and transcripts as Word and PDF, and the QR codes that lead to them."""
