"""The soak: a daemon that is killed again and again while chains and endpoints do what they may.

Chance decides by a seed what is paid, what the chains drop and how endpoints fail. In the end the
books must equal what the final chains say, as `truth` reads them. `make soak` is the long one.
"""
