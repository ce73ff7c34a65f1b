"""The knowledge base: texts for support, stored in searchable chunks."""
