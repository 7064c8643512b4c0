"""Moto's DynamoDB, made atomic: one request at a time, and each write happens whole or not at all.

Conditions, updates, validation, projections and the wire format are moto's. Ours are transactions that touch only
their own items, pages of queries and scans that read only their own items, the client's request token, and the write
units.
"""

from __future__ import annotations

import copy
import threading
import uuid
from bisect import bisect_left, bisect_right
from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import moto.dynamodb.urls
from flask import request
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.dynamodb.comparisons import get_filter_expression
from moto.dynamodb.exceptions import (
    ERROR_TYPE_PREFIX,
    ConditionalCheckFailed,
    MultipleTransactionsException,
    TooManyTransactionsException,
    TransactionCanceledException,
    TransactWriteSingleOpException,
)
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import RESULT_SIZE_LIMIT, Table
from moto.dynamodb.models.utilities import dynamo_json_dump
from moto.dynamodb.responses import DynamoResult
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from rsloader_provider.local.aws.dynamodb.write_units import WriteUnits, write_units

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

MAX_ACTIONS = 100
REMEMBERED_TOKENS = 10_000


def _value(key: DynamoType) -> Any:
    return key.cast_value


class Partition(dict[DynamoType, Item]):
    """The items of one hash key, or of a whole table without a range key, by the key that tells them apart.

    Their order is kept; they are sorted again only after an item came or went.
    """

    _order: list[DynamoType] | None = None

    def __setitem__(self, key: DynamoType, item: Item) -> None:
        if key not in self:
            self._order = None
        super().__setitem__(key, item)

    def pop(self, key: DynamoType, *default: Any) -> Any:
        """Take an item out."""
        self._order = None
        return super().pop(key, *default)

    def page(
        self, accepts: Callable[[DynamoType], bool], after: DynamoType | None, forward: bool, limit: int | None
    ) -> dict[DynamoType, Item]:
        """Return the items of one page of a query or a scan, and one more when there is a next page.

        Args:
            accepts: Tells whether a key passes the key condition.
            after: The key of the last page's last item; None for the first page.
            forward: False for the reverse order.
            limit: The most items of a page; None for as many as fit into 1 MB.
        """
        order = self._order = self._order or sorted(self, key=_value)
        if after is not None and forward:
            order = order[bisect_right(order, after.cast_value, key=_value) :]
        elif after is not None:
            order = order[: bisect_left(order, after.cast_value, key=_value)]
        page: dict[DynamoType, Item] = {}
        size = 0
        for key in order if forward else reversed(order):
            if accepts(key):
                page[key] = self[key]
                size += page[key].size()
                if size > RESULT_SIZE_LIMIT or len(page) - 1 == limit:
                    break
        return page


class _Touched(NamedTuple):
    table: Table
    hash_key: DynamoType
    range_key: DynamoType | None
    before: Item | None


class _Draft(DynamoDBBackend):
    """Copies of the items of one request, for moto to write to; `commit` puts them in place, all of them."""

    def __init__(self, stored: DynamoDBBackend) -> None:
        super().__init__(stored.region_name, stored.account_id)
        self._stored = stored
        self._touched: dict[tuple[Any, ...], _Touched] = {}

    def add_table(self, name: str) -> Table:
        """Add a table of the same shape as the stored one, which holds nothing and streams nowhere."""
        if name not in self.tables:
            empty = self.tables[name] = copy.copy(self._stored.get_table(name))
            empty.items = defaultdict(dict)
            empty.stream_shard = None
        return self.tables[name]

    def take(self, table_name: str, attributes: dict[str, Any]) -> Item | None:
        """Copy the item that has these attributes' key, and return the stored one."""
        table = self._stored.get_table(table_name)
        hash_key, range_key = self.get_keys_value(table, attributes)
        touched = _Touched(table, hash_key, range_key, table.get_item(hash_key, range_key))
        if self._touched.setdefault((table_name, hash_key, range_key), touched) is not touched:
            raise MultipleTransactionsException
        _put(self.add_table(table_name), touched, copy.deepcopy(touched.before))
        return touched.before

    def commit(self, spent: WriteUnits, *, times: int = 1) -> None:
        """Put every item in place as it is here, and count the units."""
        for (name, *_), touched in self._touched.items():
            table, hash_key, range_key, before = touched
            after = self.tables[name].get_item(hash_key, range_key)
            spent.add(table.name, write_units(table, before, after), times=times)
            if after is None:
                table.delete_item(hash_key, range_key)
            elif before is None or before.attrs != after.attrs:
                _put(table, touched, after)
                if table.stream_shard is not None:
                    table.stream_shard.add(before, after)

    def cancel(self, spent: WriteUnits, *, times: int = 1) -> None:
        """Count what a false condition costs: the items as they are."""
        for touched in self._touched.values():
            spent.add(touched.table.name, write_units(touched.table, touched.before, touched.before), times=times)


def _put(table: Table, place: _Touched, item: Item | None) -> None:
    if item is not None and place.range_key is not None:
        table.items[place.hash_key][place.range_key] = item
    elif item is not None:
        table.items[place.hash_key] = item  # type: ignore[assignment]  # moto keeps both shapes in one attribute


class AtomicBackend(DynamoDBBackend):
    """Moto's backend with writes that happen whole or not at all, and pages that cost what they hold.

    Attributes:
        spent: The write units of all regions.
    """

    spent = WriteUnits()
    _url_module = moto.dynamodb.urls  # moto would look for it beside this module

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self._applied: dict[str, int] = {}

    def create_table(self, *args: Any, **kwargs: Any) -> Table:
        """Create a table whose items keep their order, within each partition if it has partitions."""
        table = super().create_table(*args, **kwargs)
        if table.has_range_key:
            table.items = defaultdict(Partition)
        else:
            table.items = Partition()  # type: ignore[assignment]  # moto keeps both shapes in one attribute
        return table

    def put_item(self, *args: Any, **kwargs: Any) -> Item:
        """Put one item."""
        return self._write(DynamoDBBackend.put_item, *args, **kwargs)  # type: ignore[no-any-return]

    def update_item(self, *args: Any, **kwargs: Any) -> Item:
        """Update one item; moto alone leaves half an update behind when its second half fails."""
        return self._write(DynamoDBBackend.update_item, *args, **kwargs)  # type: ignore[no-any-return]

    def delete_item(self, *args: Any, **kwargs: Any) -> Item | None:
        """Delete one item."""
        return self._write(DynamoDBBackend.delete_item, *args, **kwargs)  # type: ignore[no-any-return]

    def _write(self, write: Callable[..., Any], table: str, key: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        draft = _Draft(self)
        draft.take(table, key)
        try:
            answer = write(draft, table, key, *args, **kwargs)
        except ConditionalCheckFailed:
            draft.cancel(self.spent)
            raise
        draft.commit(self.spent)
        return answer

    def transact_write_items(self, transact_items: list[dict[str, Any]]) -> None:
        """Carry out all actions or none. No two share an item, so each condition sees the items as they were.

        A token that was applied is not applied again. The last 10,000 are kept; AWS keeps them for ten minutes.

        Raises:
            TransactionCanceledException: Conditions are false; the reasons stand in the actions' order.
            JsonRESTError: The token came with other actions before, or an action is not valid.
        """
        token = request.get_json(force=True).get("ClientRequestToken") or uuid.uuid4().hex
        content = hash(repr(transact_items))
        if self._applied.get(token, content) != content:
            message = "The request uses the same client token as a previous, but non-identical request."
            raise JsonRESTError(ERROR_TYPE_PREFIX + "IdempotentParameterMismatchException", message)
        if token in self._applied:
            return
        if len(transact_items) > MAX_ACTIONS:
            raise TooManyTransactionsException
        draft = _Draft(self)
        reasons = [_attempt(draft, action) for action in transact_items]
        if any(code for code, _, _ in reasons):
            draft.cancel(self.spent, times=2)
            raise TransactionCanceledException(reasons)
        draft.commit(self.spent, times=2)
        self._applied[token] = content
        if len(self._applied) > REMEMBERED_TOKENS:
            del self._applied[next(iter(self._applied))]

    def query(self, *args: Any, **kwargs: Any) -> tuple[list[Item], int, dict[str, Any] | None]:
        """Let moto query a table that holds only the items of the page; index queries are moto's alone."""
        name, hash_key, comparison, operands, limit, start, forward, *_ = args
        stored = self.get_table(name)
        by_legacy_filter = any(isinstance(each, dict) and "ComparisonOperator" in each for each in kwargs.values())
        if kwargs.get("index_name") or by_legacy_filter or not stored.has_range_key:
            return super().query(*args, **kwargs)
        draft = _Draft(self)
        partition = stored.items.get(DynamoType(hash_key))
        if isinstance(partition, Partition):
            values = [DynamoType(value) for value in operands]
            after = DynamoType(start[stored.range_key_attr]) if start else None
            draft.add_table(name).items[DynamoType(hash_key)] = partition.page(
                lambda range_key: comparison is None or range_key.compare(comparison, values), after, forward, limit
            )
        draft.add_table(name)
        return draft.query(*args, **kwargs)

    def scan(self, *args: Any, **kwargs: Any) -> tuple[list[Item], int, dict[str, Any] | None]:
        """Let moto scan a table that holds only the items of the page.

        Scans of tables with a range key, of an index, in segments or with the legacy filter are moto's alone.
        """
        name, by_legacy_filter, limit, start = args
        items = self.get_table(name).items
        in_segments = kwargs["segments"] != (None, None)
        if kwargs["index_name"] or in_segments or by_legacy_filter or not isinstance(items, Partition):
            return super().scan(*args, **kwargs)
        draft = _Draft(self)
        table = draft.add_table(name)
        after = DynamoType(start[table.hash_key_attr]) if start else None
        table.items = items.page(lambda _: True, after, True, limit)  # type: ignore[assignment]  # likewise
        return draft.scan(*args, **kwargs)


def _attempt(draft: _Draft, transact_item: dict[str, Any]) -> tuple[str | None, str | None, dict[str, Any] | None]:
    """Carry out one action on the draft, and return moto's cancellation reason: code, message and item."""
    if len(transact_item) != 1:
        raise TransactWriteSingleOpException
    kind, action = next(iter(transact_item.items()))
    table, target = action["TableName"], action["Item" if kind == "Put" else "Key"]
    names, values = action.get("ExpressionAttributeNames", {}), action.get("ExpressionAttributeValues", {})
    current = draft.take(table, target)
    expression = action.get("ConditionExpression")
    if values:
        condition = get_filter_expression(expression, names, values)
    else:
        condition = _parsed_without_values(expression, tuple(names.items()))
    if not condition.expr(current):
        shown = current if action.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" else None
        item = shown.to_json()["Attributes"] if shown else None
        return "ConditionalCheckFailed", ConditionalCheckFailed().message, item
    if kind == "Put":
        draft.put_item(table, target)
    elif kind == "Update":
        draft.update_item(table, target, action["UpdateExpression"], names, values)
    elif kind == "Delete":
        draft.delete_item(table, target)
    return None, None, None


@lru_cache(maxsize=1000)
def _parsed_without_values(expression: str | None, names: tuple[tuple[str, str], ...]) -> Any:
    return get_filter_expression(expression, dict(names), None)


def _execute_result(result: DynamoResult, context: Any) -> Any:
    """Render items as they are: moto's serializer looks for several spellings of every attribute of every item."""
    if not isinstance(result.result, dict) or "Items" not in result.result:
        return ActionResult.execute_result(result, context)
    return 200, {"Content-Type": "application/x-amz-json-1.0"}, dynamo_json_dump(result.result)


class DynamoDBService:
    """A WSGI application that answers DynamoDB's requests, one at a time; a new one starts without tables.

    Attributes:
        spent: The write units of all regions.
    """

    def __init__(self) -> None:
        dynamodb_backends.clear()
        dynamodb_backends.backend = AtomicBackend
        DynamoResult.execute_result = _execute_result  # type: ignore[method-assign,assignment]
        self.spent = AtomicBackend.spent
        self.spent.reset()
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        with self._lock:
            try:
                return list(self._moto(environ, start_response))
            finally:
                # moto remembers every copy of every item for its dashboard.
                for model in (Item, Table):
                    vars(model)["instances_tracked"].clear()
