"""The embedded Tron node: a chain of true blocks behind java-tron's HTTP interface."""
