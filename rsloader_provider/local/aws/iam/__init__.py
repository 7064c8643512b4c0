"""Who may do what: access keys, policies, and what is refused."""
