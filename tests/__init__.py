"""Tests: tables, stories, properties, and the real thing."""
