"""Networks: endpoints and clients."""
