"""Tests of the Tron proof."""
