"""SASL: how a client may authenticate before it opens the connection. Pure. Source: AMQP 5.3.

ANONYMOUS says that it authenticates later, by claims or not at all; EXTERNAL, that it has shown a certificate. MSSBCBS
is Azure's name for claims.
"""

ANONYMOUS, PLAIN, EXTERNAL, MSSBCBS = MECHANISMS = ("ANONYMOUS", "PLAIN", "EXTERNAL", "MSSBCBS")
OK, BAD_CREDENTIALS = 0, 1  # codes of SaslOutcome
