"""The knowledge base: texts that help is given from, in chunks that can be searched."""
