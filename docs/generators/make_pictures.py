"""Make the pictures of docs/pictures/, all or those named. `make pictures` calls this."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from pictures.make import make  # beside this file; it needs azext_iotjobs, too

    make(sys.argv[1:])
