"""The least that a hub could do for a consumer: an asyncio server that pushes given bytes over TLS.

Run: python pushing_server.py FILE CERTIFICATE KEY; it prints its port, and pushes the file to whoever connects.
"""

import asyncio
import ssl
import sys
from pathlib import Path

AT_ONCE = 64 * 1024


async def serve(data: bytes, certificate: str, key: str) -> None:
    """Serve until the process is ended."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)

    async def push(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for at in range(0, len(data), AT_ONCE):
            writer.write(data[at : at + AT_ONCE])
            await writer.drain()

    server = await asyncio.start_server(push, "127.0.0.1", 0, ssl=tls)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]).read_bytes(), sys.argv[2], sys.argv[3]))
