"""Stand-ins for Splunk, Kubernetes and Segment over real HTTP, and synthetic audit traffic; for demo and tests only."""
