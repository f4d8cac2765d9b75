"""Tron: reads java-tron over its HTTP interface and proves what it reads."""
