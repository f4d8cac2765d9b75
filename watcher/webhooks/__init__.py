"""Webhooks: telling merchants of events by HTTP, signed, in order, at least once."""

from __future__ import annotations
