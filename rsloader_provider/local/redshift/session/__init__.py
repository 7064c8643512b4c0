"""What is served to a client: the server, the log-in, and each statement in its transaction."""
