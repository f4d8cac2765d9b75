"""EVM blocks: encoding, proof, transfers."""
