"""Proofs of the history for others: a Merkle tree over the chain, signed checkpoints, and exports to check offline.

A leaf of the tree is the hash of an event's link of the chain, which covers the event and all before it; leaf 0 is
position 1. `checker.py` defines all hashes and formats; it is one file, which anybody can download and run.
"""
