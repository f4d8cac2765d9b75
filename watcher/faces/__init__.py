"""The compatible faces: what each says of our invoices. How they are asked is `watcher.api.compat`.

A face is pure: it decides no status, no amount and no expiry, and keeps nothing.
"""
