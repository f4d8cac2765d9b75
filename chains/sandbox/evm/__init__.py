"""An EVM network in memory, in the flavours of Ethereum and Polygon, behind JSON-RPC."""
