"""Each compatible face over HTTP, against the true application and its books."""
