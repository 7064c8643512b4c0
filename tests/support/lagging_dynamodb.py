"""A DynamoDB that lags as it may: a read that is not consistent does not see the last write."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rsloader_provider.aws.dynamodb.tables import TableNames

_WRITES = ("transact_write_items", "update_item", "put_item", "delete_item")


class LaggingClient:
    """A client of DynamoDB with a second pair of tables, which follow the first one write behind.

    Args:
        client: Reads and writes; both pairs of tables are there.
        names: The tables.
        behind: Those that follow.
    """

    def __init__(self, client: Any, names: TableNames, behind: TableNames):
        self._client = client
        self._behind = {names.files: behind.files, names.batches: behind.batches}
        self._waiting: Callable[[], object] = lambda: None

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._client, name)
        return self._writing(function) if name in _WRITES else function

    def get_item(self, **request: Any) -> Any:
        return self._client.get_item(**self._seen(request))

    def batch_get_item(self, RequestItems: Mapping[str, Any]) -> Any:  # noqa: N803 (boto3's name)
        asked = {self._seen({**keys, "TableName": name})["TableName"]: keys for name, keys in RequestItems.items()}
        answer = self._client.batch_get_item(RequestItems=asked)
        shown = {behind: name for name, behind in self._behind.items()}
        answer["Responses"] = {shown.get(name, name): items for name, items in answer["Responses"].items()}
        return answer

    def get_paginator(self, operation: str) -> "LaggingClient":
        assert operation == "query"
        return self

    def paginate(self, **request: Any) -> Iterator[Any]:
        """Give the pages of a query."""
        pages: Iterator[Any] = self._client.get_paginator("query").paginate(**self._seen(request))
        return pages

    def _seen(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a read where its answer comes from."""
        if request.get("ConsistentRead"):
            return request
        return {**request, "TableName": self._behind[request["TableName"]]}

    def _writing(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def write(**request: Any) -> Any:
            answer = function(**request)
            self._waiting()
            followed = self._renamed(request)
            self._waiting = lambda: function(**followed)
            return answer

        return write

    def _renamed(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._renamed(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._renamed(each) for each in value]
        return self._behind.get(value, value) if isinstance(value, str) else value
