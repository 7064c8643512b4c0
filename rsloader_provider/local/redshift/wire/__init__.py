"""PostgreSQL's wire protocol: its messages, a session behind it, and passwords."""
