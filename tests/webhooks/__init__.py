"""Webhooks: delivering, sending, signing."""
