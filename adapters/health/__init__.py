"""The health of the whole service: how far behind it is, and the self-test."""
