"""Embedded development nodes: toy chains in memory behind the networks' real wire protocols.

They serve the sandbox and the tests. The money is worth nothing and every key is public.
"""
