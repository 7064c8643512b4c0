"""Where pre-SQL and post-SQL are rendered: a sandbox from which no template reaches Python.

Jinja's own sandbox refuses names that begin with an underscore, and lets everything else through: a module among the
values is enough to run anything. Here a list says whose attributes can be read and what can be called.
"""

from collections.abc import Callable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from types import BuiltinMethodType, MethodType
from typing import Any

from jinja2 import StrictUndefined, Undefined
from jinja2.runtime import LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range
from jinja2.utils import Namespace


class Shown:
    """A value whose attributes without an underscore at their beginning are for templates to read."""

    __slots__ = ()


class Names(Shown):
    """A value that has these attributes and no other.

    >>> Names(run_id="manual").run_id
    'manual'
    """

    def __init__(self, **attributes: Any):
        self.__dict__.update(attributes)


class Offered(Names):
    """A function that templates may call, and attributes beside it."""

    def __init__(self, function: Callable[..., Any], **attributes: Any):
        super().__init__(**attributes)
        self._function = function

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the function."""
        return self._function(*arguments, **named)


class LookedUp(Shown):
    """A value whose attributes are looked up when a template reads them.

    Args:
        look_up: Gives the value of a name, or raises an error.
        get: Gives the value of a name, or what follows it; templates call it as `get`.
    """

    def __init__(self, look_up: Callable[[str], Any], get: Callable[..., Any]):
        self._look_up = look_up
        self.get = Offered(get)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._look_up(name)


_CALENDAR = (date, time, timedelta)
_OPEN = (str, int, float, Decimal, list, tuple, dict, set, frozenset, *_CALENDAR, LoopContext, Namespace, Shown)
"""The types whose attributes can be read and whose methods can be called. No attribute of theirs gives a module, a
class or a function of Python's."""

_NOT_OF_TEXT = frozenset({"format", "format_map"})
"""Methods of text that read attributes of their arguments by themselves."""

_CALLABLE = (safe_range, dict, Namespace)
_REMOVED_FILTERS = ("attr",)


class SqlEnvironment(ImmutableSandboxedEnvironment):
    """Jinja with a list of what can be reached.

    Args:
        filters: Filters besides Jinja's own, by name.
    """

    def __init__(self, filters: Mapping[str, Callable[..., Any]]):
        # The extension that Airflow's own environments have.
        super().__init__(undefined=StrictUndefined, extensions=["jinja2.ext.do"], cache_size=0)
        for name in _REMOVED_FILTERS:
            self.filters.pop(name, None)
        self.filters.update(filters)
        # Jinja's others, such as `cycler` and `lipsum`, are Python's own functions and classes.
        self.globals = {"range": safe_range, "dict": dict, "namespace": Namespace}

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Tell whether a template may read an attribute."""
        if not isinstance(obj, (*_OPEN, Undefined)) or (isinstance(obj, str) and attr in _NOT_OF_TEXT):
            return False
        return super().is_safe_attribute(obj, attr, value) and not isinstance(value, type)

    def is_safe_callable(self, obj: Any) -> bool:
        """Tell whether a template may call a value."""
        if isinstance(obj, Offered | Macro | LoopContext) or any(obj is each for each in _CALLABLE):
            return True
        if not isinstance(obj, MethodType | BuiltinMethodType):
            return False
        owner = obj.__self__
        return issubclass(owner, _CALENDAR) if isinstance(owner, type) else isinstance(owner, _OPEN)

    def wrap_str_format(self, value: Any) -> None:
        """Leave it to `is_safe_attribute`, which refuses `format`. Jinja would check what it reads."""


def plain(value: Any) -> Any:
    """Give a value with nothing but text, numbers, times, lists and mappings in it; what is something else as text."""
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [*map(plain, value)]
    if value is None or isinstance(value, (bool, int, float, Decimal, *_CALENDAR)):
        return value
    return str(getattr(value, "value", value)) if isinstance(value, str) else str(value)
