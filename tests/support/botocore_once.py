"""What botocore reads of the services, once in a process: otherwise each session reads and parses it again."""

from functools import cache

import botocore.session


def share_loader() -> None:
    """Let all sessions of this process have one loader of botocore's files, as all clients of one session have."""
    botocore.session.create_loader = cache(botocore.session.create_loader)
