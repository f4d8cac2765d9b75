"""Pages: asked over a socket, and looked at in a real browser."""
