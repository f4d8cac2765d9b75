"""Tests of the embedded nodes."""
