"""Small honest stand-ins for the ports; each passes the same contract tests as the real adapter."""
