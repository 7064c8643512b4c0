"""The ledger in DynamoDB. Each write is one conditional request; a batch is never one growing item."""

import os
from collections.abc import Callable
from typing import Any

from rsloader_provider.aws.dynamodb.batch_states import BatchStates
from rsloader_provider.aws.dynamodb.claiming import Claiming
from rsloader_provider.aws.dynamodb.deleting import Deleting
from rsloader_provider.aws.dynamodb.leaving import Leaving
from rsloader_provider.aws.dynamodb.reading import Reading
from rsloader_provider.aws.dynamodb.rebuilding import Rebuilding
from rsloader_provider.aws.dynamodb.renaming import RenamingLoads
from rsloader_provider.aws.dynamodb.requests import LedgerRequests
from rsloader_provider.aws.dynamodb.tables import TableNames


class DynamoLedger:
    """The ledger of all loads in two tables: the port, of parts that each do one thing.

    Args:
        client: The client of a boto3 DynamoDB *resource* (`resource.meta.client`), which takes and gives plain
            Python values.
        names: Names of the tables.
        randomness: Gives so many random bytes, for the ids of batches.
    """

    def __init__(self, client: Any, names: TableNames, randomness: Callable[[int], bytes] = os.urandom):
        requests = LedgerRequests(client, names)

        reading = Reading(requests)
        self.get = reading.get
        self.entries = reading.entries
        self.segments = reading.segments
        self.unfinished = reading.unfinished
        self.failed = reading.failed
        self.batches = reading.batches
        self.deleted = reading.deleted
        self.claimed_keys = reading.claimed_keys
        self.claims = reading.claims
        self.find_claim = reading.find_claim
        self.find_claims = reading.find_claims

        states = BatchStates(requests, randomness)
        self.open_batch = states.open_batch
        self.left_alone = states.left_alone
        self.leave_alone = states.leave_alone
        self.variables = states.variables
        self.record_variables = states.record_variables
        self.lock = states.lock
        self.replace = states.replace

        claiming = Claiming(requests, randomness)
        self.claim = claiming.claim
        self.mark = claiming.mark

        leaving = Leaving(requests, claiming)
        self.fill = leaving.fill
        self.leave_out = leaving.leave_out
        self.forget = leaving.forget
        self.move = leaving.move

        rebuilding = Rebuilding(requests, claiming, leaving, randomness)
        self.drop = rebuilding.drop
        self.take_back = rebuilding.take_back
        self.put_back = rebuilding.put_back

        deleting = Deleting(requests, reading)
        self.delete = deleting.delete
        self.sweep = deleting.sweep
        self.restore = deleting.restore

        renaming = RenamingLoads(requests, states)
        self.renaming = renaming.renaming
        self.claims_of_now = renaming.claims_of_now
        self.begin_renaming = renaming.begin
        self.retire = renaming.retire
        self.take_claims = renaming.take_claims
        self.hand_over = renaming.hand_over
        self.hand_over_deletions = renaming.hand_over_deletions
        self.drop_claims = renaming.drop_claims
        self.end_renaming = renaming.end
        self.accepted = renaming.accepted
        self.accept = renaming.accept
