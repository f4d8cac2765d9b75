"""Ethereum-like networks: what their nodes send, proven and read."""
