"""What the bridge is measured against."""
