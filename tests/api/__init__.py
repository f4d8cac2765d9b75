"""The HTTP API, asked over a socket, on both engines."""
