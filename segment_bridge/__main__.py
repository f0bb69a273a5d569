"""``python -m segment_bridge`` is ``segment-bridge``."""

from segment_bridge.cli import main

main()
