"""``python -m worker.embedded``: the supervisor of an embedded stack."""

from __future__ import annotations

import gc
import os

# Whoever looks for garbage while half a million objects are made, none of which is garbage, spends a quarter
# of the time on that. The supervisor goes on with it when all is loaded.
gc.disable()

from worker.embedded.supervisor import main  # noqa: E402 - see above

if __name__ == "__main__":
    # Nothing of it is left by now, and to clear away half a million objects first takes a tenth of a second.
    os._exit(main())
