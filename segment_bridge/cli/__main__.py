"""``python -m segment_bridge.cli`` is ``segment-bridge``."""

from segment_bridge.cli import main

main()
