"""A local AWS and a local Redshift, for the demo and the tests. Shares no code with what it stands in for."""
