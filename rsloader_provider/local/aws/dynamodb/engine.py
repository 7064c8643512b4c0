# ruff: noqa: D102  the operations are named and documented by AWS
"""The operations of DynamoDB by name, behind one lock."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from typing import Any

from rsloader_provider.local.aws.dynamodb import reads, transactions, writes
from rsloader_provider.local.aws.dynamodb.capacity import WriteUnits, consumed, read_units, units, write_units
from rsloader_provider.local.aws.dynamodb.errors import (
    ConditionFailedError,
    ResourceInUseError,
    ResourceNotFoundError,
    TransactionCanceledError,
    ValidationError,
)
from rsloader_provider.local.aws.dynamodb.evaluate import Scope, project
from rsloader_provider.local.aws.dynamodb.tables import Record, Table

Json = dict[str, Any]

_MAX_BATCH_WRITE, _MAX_BATCH_GET = 25, 100
_ACCOUNT = "123456789012"


class Engine:
    """All tables of one region.

    Args:
        region: Stands in the tables' ARNs.
        spent: Where write units are added up.
    """

    def __init__(self, region: str, spent: WriteUnits) -> None:
        self._region = region
        self._spent = spent
        self._lock = threading.Lock()
        self._tables: dict[str, Table] = {}
        self._tokens = transactions.Tokens()

    def answer(self, operation: str, request: Json) -> Json:
        """Answer one request, atomically.

        Raises:
            DynamoDBError: What AWS would refuse, or an operation that is not built here.
        """
        handler = _OPERATIONS.get(operation)
        if handler is None:
            raise ValidationError(f"The local DynamoDB has no {operation}")
        with self._lock:
            return handler(self, request)

    def _table(self, name: str) -> Table:
        table = self._tables.get(name.rsplit("/", 1)[-1])
        if table is None:
            raise ResourceNotFoundError(f"Requested resource not found: Table: {name} not found")
        return table

    # Tables

    def create_table(self, request: Json) -> Json:
        name = request["TableName"]
        if not 3 <= len(name) <= 255:
            raise ValidationError("TableName must be at least 3 characters long and at most 255 characters long")
        if name in self._tables:
            raise ResourceInUseError(f"Table already exists: {name}")
        table = Table(request)
        schemas = [table.schema, *(index.schema for index in table.indexes.values())]
        used = {name for schema in schemas for name in schema.names}
        if used != table.types.keys():
            raise ValidationError(
                "One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match "
                "number of attributes defined in AttributeDefinitions"
            )
        table.definition |= {"CreationDateTime": time.time(), "TableId": str(uuid.uuid4())}
        self._tables[name] = table
        return {"TableDescription": self._description(table)}

    def describe_table(self, request: Json) -> Json:
        return {"Table": self._description(self._table(request["TableName"]))}

    def delete_table(self, request: Json) -> Json:
        table = self._table(request["TableName"])
        if table.definition.get("DeletionProtectionEnabled"):
            raise ValidationError(
                f"Resource cannot be deleted as it is currently protected against deletion: {table.name}"
            )
        del self._tables[table.name]
        return {"TableDescription": self._description(table) | {"TableStatus": "DELETING"}}

    def list_tables(self, request: Json) -> Json:
        names = [name for name in sorted(self._tables) if name > request.get("ExclusiveStartTableName", "")]
        limit = request.get("Limit", 100)
        return {"TableNames": names[:limit]} | (
            {"LastEvaluatedTableName": names[limit - 1]} if len(names) > limit else {}
        )

    def update_table(self, request: Json) -> Json:
        table = self._table(request["TableName"])
        for definition in request.get("AttributeDefinitions", []):
            table.types[definition["AttributeName"]] = definition["AttributeType"]
        for change in request.get("GlobalSecondaryIndexUpdates", []):
            if "Create" in change:
                table.add_index(change["Create"], is_global=True)
            elif "Delete" in change and table.indexes.pop(change["Delete"]["IndexName"], None) is None:
                raise ResourceNotFoundError("Requested resource not found")
        for name in ("BillingMode", "ProvisionedThroughput", "DeletionProtectionEnabled"):
            if name in request:
                table.definition[name] = request[name]
        return {"TableDescription": self._description(table)}

    def _description(self, table: Table) -> Json:
        definition = table.definition
        arn = f"arn:aws:dynamodb:{self._region}:{_ACCOUNT}:table/{table.name}"
        size = sum(record.size for partition in table.partitions.values() for record in partition.records.values())
        throughput = {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0, "NumberOfDecreasesToday": 0}
        description = {
            "TableName": table.name,
            "TableStatus": "ACTIVE",
            "TableArn": arn,
            "TableId": definition["TableId"],
            "CreationDateTime": definition["CreationDateTime"],
            "KeySchema": definition["KeySchema"],
            "AttributeDefinitions": [
                {"AttributeName": name, "AttributeType": kind} for name, kind in table.types.items()
            ],
            "ItemCount": table.count(),
            "TableSizeBytes": size,
            "ProvisionedThroughput": throughput | (definition.get("ProvisionedThroughput") or {}),
            "BillingModeSummary": {"BillingMode": definition.get("BillingMode", "PROVISIONED")},
            "DeletionProtectionEnabled": definition.get("DeletionProtectionEnabled", False),
        }
        if sse := definition.get("SSESpecification"):
            description["SSEDescription"] = {"Status": "ENABLED" if sse.get("Enabled") else "DISABLED"}
        for kind, is_global in (("GlobalSecondaryIndexes", True), ("LocalSecondaryIndexes", False)):
            indexes = [
                index.definition
                | {"IndexArn": f"{arn}/index/{name}"}
                | ({"IndexStatus": "ACTIVE", "ProvisionedThroughput": throughput} if is_global else {})
                for name, index in table.indexes.items()
                if index.is_global == is_global
            ]
            if indexes:
                description[kind] = indexes
        return description

    def describe_time_to_live(self, request: Json) -> Json:
        settings = self._table(request["TableName"]).definition.get("TimeToLive", {"TimeToLiveStatus": "DISABLED"})
        return {"TimeToLiveDescription": settings}

    def update_time_to_live(self, request: Json) -> Json:
        settings = request["TimeToLiveSpecification"]
        status = "ENABLED" if settings["Enabled"] else "DISABLED"
        self._table(request["TableName"]).definition["TimeToLive"] = {
            "TimeToLiveStatus": status,
            "AttributeName": settings["AttributeName"],
        }
        return {"TimeToLiveSpecification": settings}

    def describe_continuous_backups(self, request: Json) -> Json:
        status = self._table(request["TableName"]).definition.get("PointInTimeRecovery", "DISABLED")
        recovery = {"PointInTimeRecoveryStatus": status}
        return {
            "ContinuousBackupsDescription": {
                "ContinuousBackupsStatus": "ENABLED",
                "PointInTimeRecoveryDescription": recovery,
            }
        }

    def update_continuous_backups(self, request: Json) -> Json:
        enabled = request["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
        self._table(request["TableName"]).definition["PointInTimeRecovery"] = "ENABLED" if enabled else "DISABLED"
        return self.describe_continuous_backups(request)

    def tag_resource(self, request: Json) -> Json:
        tags = self._table(request["ResourceArn"]).definition.setdefault("Tags", [])
        names = {tag["Key"] for tag in request["Tags"]}
        tags[:] = [tag for tag in tags if tag["Key"] not in names] + request["Tags"]
        return {}

    def untag_resource(self, request: Json) -> Json:
        tags = self._table(request["ResourceArn"]).definition.setdefault("Tags", [])
        tags[:] = [tag for tag in tags if tag["Key"] not in request["TagKeys"]]
        return {}

    def list_tags_of_resource(self, request: Json) -> Json:
        return {"Tags": list(self._table(request["ResourceArn"]).definition.get("Tags") or [])}

    # Single items

    def get_item(self, request: Json) -> Json:
        table = self._table(request["TableName"])
        scope = Scope(request)
        projection = scope.projection()
        scope.check_all_used()
        record = table.get(table.key(request["Key"]))
        answer: Json = {}
        if record:
            answer["Item"] = (
                project(record.item, [scope.path(path) for path in projection.tree]) if projection else record.item
            )
        return answer | self._read_capacity(table, request, record.size if record else 0)

    def put_item(self, request: Json) -> Json:
        if request.get("ReturnValues", "NONE") not in ("NONE", "ALL_OLD"):
            raise ValidationError("Return values set to invalid value")
        return self._write("Put", request)

    def update_item(self, request: Json) -> Json:
        return self._write("Update", request)

    def delete_item(self, request: Json) -> Json:
        if request.get("ReturnValues", "NONE") not in ("NONE", "ALL_OLD"):
            raise ValidationError("Return values set to invalid value")
        return self._write("Delete", request)

    def _write(self, kind: str, request: Json) -> Json:
        table = self._table(request["TableName"])
        try:
            write = writes.prepare(table, kind, request)
        except ConditionFailedError:
            existing = table.get(writes.target(table, kind, request))
            self._spent.add(table, Counter({"": units(existing.size if existing else 0)}))
            raise
        write.apply()
        spent = write_units(table, write.before, write.after)
        self._spent.add(table, spent)
        answer: Json = {}
        attributes = writes.returned(write, request.get("ReturnValues", "NONE"))
        if attributes:
            answer["Attributes"] = attributes
        if (mode := request.get("ReturnConsumedCapacity", "NONE")) != "NONE":
            answer["ConsumedCapacity"] = consumed(table, spent, mode)
        return answer

    @staticmethod
    def _read_capacity(table: Table, request: Json, size: int) -> Json:
        mode = request.get("ReturnConsumedCapacity", "NONE")
        if mode == "NONE":
            return {}
        used = read_units(size, consistent=request.get("ConsistentRead", False))
        capacity: Json = {"TableName": table.name, "CapacityUnits": used}
        return {"ConsumedCapacity": capacity | ({"Table": {"CapacityUnits": used}} if mode == "INDEXES" else {})}

    # Many items

    def query(self, request: Json) -> Json:
        return self._page(request, reads.query(self._table(request["TableName"]), request))

    def scan(self, request: Json) -> Json:
        return self._page(request, reads.scan(self._table(request["TableName"]), request))

    def _page(self, request: Json, page: reads.Page) -> Json:
        answer: Json = {"Count": len(page.items), "ScannedCount": page.scanned}
        if request.get("Select") != "COUNT":
            answer["Items"] = page.items
        if page.last_key is not None:
            answer["LastEvaluatedKey"] = page.last_key
        return answer | self._read_capacity(self._table(request["TableName"]), request, page.size_bytes)

    def batch_get_item(self, request: Json) -> Json:
        wanted: Json = request["RequestItems"]
        if sum(len(each["Keys"]) for each in wanted.values()) > _MAX_BATCH_GET:
            raise ValidationError("Too many items requested for the BatchGetItem call")
        responses: dict[str, list[Any]] = {}
        capacities = []
        for name, each in wanted.items():
            table = self._table(name)
            keys = [table.key(key) for key in each["Keys"]]
            if len(set(keys)) < len(keys):
                raise ValidationError("Provided list of item keys contains duplicates")
            scope = Scope(each)
            projection = scope.projection()
            scope.check_all_used()
            paths = [scope.path(path) for path in projection.tree] if projection else None
            records = [record for key in keys if (record := table.get(key))]
            responses[name] = [project(record.item, paths) if paths else record.item for record in records]
            size = sum(record.size for record in records)
            mode = {"ReturnConsumedCapacity": request.get("ReturnConsumedCapacity", "NONE")}
            capacities.append(self._read_capacity(table, each | mode, size).get("ConsumedCapacity"))
        answer: Json = {"Responses": responses, "UnprocessedKeys": {}}
        return answer | ({"ConsumedCapacity": capacities} if any(capacities) else {})

    def batch_write_item(self, request: Json) -> Json:
        prepared = []
        seen = set()
        for name, operations in request["RequestItems"].items():
            table = self._table(name)
            for operation in operations:
                kind, content = next(iter(operation.items()))
                write = writes.prepare(table, kind.removesuffix("Request"), content)
                if (name, write.key) in seen:
                    raise ValidationError("Provided list of item keys contains duplicates")
                seen.add((name, write.key))
                prepared.append(write)
        if not 1 <= len(prepared) <= _MAX_BATCH_WRITE:
            raise ValidationError("Too many items requested for the BatchWriteItem call")
        return {"UnprocessedItems": {}} | self._apply_all(prepared, request, factor=1)

    def transact_get_items(self, request: Json) -> Json:
        operations = request["TransactItems"]
        if not 1 <= len(operations) <= transactions.MAX_OPERATIONS:
            raise ValidationError("Member must have length less than or equal to 100")
        answers = []
        for operation in operations:
            found = self.get_item(operation["Get"] | {"ReturnConsumedCapacity": "NONE"})
            answers.append(found)
        return {"Responses": answers}

    def transact_write_items(self, request: Json) -> Json:
        token = request.get("ClientRequestToken")
        content = transactions.fingerprint(request) if token else b""
        if token and self._tokens.is_known(token, content):
            return {}
        operations = request["TransactItems"]
        try:
            prepared = transactions.prepare_all(self._table, operations)
        except TransactionCanceledError:
            self._count_cancelled(operations)
            raise
        answer = self._apply_all(prepared, request, factor=2)
        if token:
            self._tokens.keep(token, content)
        return answer

    def _apply_all(self, prepared: list[writes.Write], request: Json, factor: int) -> Json:
        spent: dict[str, Counter[str]] = {}
        for write in prepared:
            write.apply()
            total = spent.setdefault(write.table.name, Counter())
            for name, count in write_units(write.table, write.before, write.after).items():
                total[name] += factor * count
        for name, total in spent.items():
            self._spent.add(self._tables[name], total)
        mode = request.get("ReturnConsumedCapacity", "NONE")
        if mode == "NONE":
            return {}
        return {"ConsumedCapacity": [consumed(self._tables[name], total, mode) for name, total in spent.items()]}

    def _count_cancelled(self, operations: list[Json]) -> None:
        for operation in operations:
            kind, request = next(iter(operation.items()))
            table = self._table(request["TableName"])
            record: Record | None = table.get(writes.target(table, kind, request))
            self._spent.add(table, Counter({"": 2 * units(record.size if record else 0)}))

    def describe_limits(self, _request: Json) -> Json:
        return {
            "AccountMaxReadCapacityUnits": 80_000,
            "AccountMaxWriteCapacityUnits": 80_000,
            "TableMaxReadCapacityUnits": 40_000,
            "TableMaxWriteCapacityUnits": 40_000,
        }


_OPERATIONS = {
    "CreateTable": Engine.create_table,
    "DescribeTable": Engine.describe_table,
    "DeleteTable": Engine.delete_table,
    "ListTables": Engine.list_tables,
    "UpdateTable": Engine.update_table,
    "DescribeTimeToLive": Engine.describe_time_to_live,
    "UpdateTimeToLive": Engine.update_time_to_live,
    "DescribeContinuousBackups": Engine.describe_continuous_backups,
    "UpdateContinuousBackups": Engine.update_continuous_backups,
    "TagResource": Engine.tag_resource,
    "UntagResource": Engine.untag_resource,
    "ListTagsOfResource": Engine.list_tags_of_resource,
    "DescribeLimits": Engine.describe_limits,
    "GetItem": Engine.get_item,
    "PutItem": Engine.put_item,
    "UpdateItem": Engine.update_item,
    "DeleteItem": Engine.delete_item,
    "Query": Engine.query,
    "Scan": Engine.scan,
    "BatchGetItem": Engine.batch_get_item,
    "BatchWriteItem": Engine.batch_write_item,
    "TransactGetItems": Engine.transact_get_items,
    "TransactWriteItems": Engine.transact_write_items,
}
