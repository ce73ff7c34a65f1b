"""The history proved to others: a Merkle tree over the chain, signed checkpoints, and files that a stranger checks.

A leaf of the tree is the hash of an event's link of the chain, which covers the event and all before it; leaf 0 is
position 1. What is hashed how is written down once, in `checker.py`, the one file that a stranger takes away.
"""
