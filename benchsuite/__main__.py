"""``python -m benchsuite``."""

import sys

from benchsuite.cli.main import main

sys.exit(main())
