"""The soak: a daemon that is killed again and again while chains and endpoints do what they may.

Chance decides by a seed what is paid, what the chains drop and how endpoints fail. In the end the
books must equal what the final chains say, as `truth` reads them. `make soak` is the long one.

One limit is accounted for. Where no hash commits to an answer, one endpoint's word is all that the
daemon has as it reads a block: altered there (`word` says what, and by which strike), a payment
may not show, or another at its place. Any other difference is a finding, and of these the audit
must tell; then a rescan must bring what is true (`mending`), and nothing that is false may ever be
confirmed. A finding names its transfers and what befell requests for their blocks; the daemon's
log, the database and all that befell requests are kept.
"""
