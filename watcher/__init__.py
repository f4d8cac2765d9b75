"""Deposit Watcher: follows chains, finds deposits to invoices, and tells the merchant."""

from __future__ import annotations

__version__ = "0.1.0"
