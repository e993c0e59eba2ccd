#!/usr/bin/env -S python -IS
"""Whether the local hub of this container serves clients: exit code 0 if it does, else 1, with the reason.

It is asked as any client asks it: over TLS, with a certificate of its CA.
"""

import http.client
import json
import os
import ssl
import sys
from pathlib import Path

LIMIT_S = 5.0


def main() -> int:
    """Ask the hub that this container's ready file tells of."""
    try:
        ready = json.loads(Path(os.environ["DATA_DIR"], "ready.json").read_bytes())
        context = ssl.create_default_context(cafile=ready["caCertificatePath"])
        connection = http.client.HTTPSConnection("localhost", ready["httpsPort"], timeout=LIMIT_S, context=context)
        connection.request("GET", "/_local/health")
        answer = connection.getresponse()
        text = answer.read().decode()
    except FileNotFoundError as err:
        text, is_up = f"The hub has not begun to serve clients: there is no file {err.filename}.", False
    except (OSError, http.client.HTTPException) as err:
        text, is_up = f"The hub does not answer: {err!r}", False
    else:
        is_up = answer.status == http.client.OK
    sys.stdout.write(text + "\n")
    return 0 if is_up else 1


if __name__ == "__main__":
    sys.exit(main())
