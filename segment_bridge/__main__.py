"""``python -m segment_bridge`` is ``segment-bridge``."""

import gc

gc.disable()  # A sixth of the start went into looking for garbage among what is imported. `main` enables it again.

from segment_bridge.cli import main  # noqa: E402 - the imports that are meant

if __name__ == "__main__":
    main()
