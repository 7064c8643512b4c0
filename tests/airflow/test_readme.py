"""The README's DAG is made as it stands there; its other examples are tested in tests/docs."""

import re
from typing import Any

from support.checkout import CHECKOUT


def test_the_dag_by_hand_is_made() -> None:
    names: dict[str, Any] = {}
    (text,) = re.findall(r"```python\n(.*?)```", (CHECKOUT / "README.md").read_text(), re.DOTALL)
    exec(text, names)
    assert names["orders"].get_task("load_batch").retries == 5
