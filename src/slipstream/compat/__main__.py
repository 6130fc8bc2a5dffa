"""`python -m slipstream.compat` runs a program under the alias."""

import sys

from slipstream.compat import main

sys.exit(main())
