"""What the use cases need from outside. An adapter, its port and its fake share a name."""
