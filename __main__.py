"""`python -m dotcnn`: runs the same program as `cnn`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
