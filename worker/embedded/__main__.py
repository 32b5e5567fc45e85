"""``python -m worker.embedded``: the supervisor of an embedded stack."""

from __future__ import annotations

import gc
import sys

# Whoever looks for garbage while half a million objects are made, none of which is garbage, spends a quarter
# of the time on that. The supervisor goes on with it when all is loaded.
gc.disable()

from worker.embedded.supervisor import main  # noqa: E402 - see above

if __name__ == "__main__":
    sys.exit(main())
