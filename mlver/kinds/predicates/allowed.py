"""What a condition may use: the nodes of DuckDB's parse tree that only compute on the cells of one row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from mlver.kinds.predicates.wording import Forbidden, Malformed


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_CLASSES: Final = _set("COMPARISON CONJUNCTION OPERATOR CONSTANT COLUMN_REF FUNCTION CASE CAST BETWEEN TYPE")
_OPERATORS: Final = _set("""
    OPERATOR_IS_NULL OPERATOR_IS_NOT_NULL OPERATOR_NOT OPERATOR_COALESCE OPERATOR_CAST COMPARE_IN COMPARE_NOT_IN
""")
# Each a function of its arguments alone, whose answer is not larger than they are: no clock, no chance, no text
# that grows, nothing that reads.
_FUNCTIONS: Final = _set("""
    + - * / // % ** ^ abs sign round floor ceil ceiling trunc sqrt cbrt exp ln log log2 log10 pow power mod greatest
    least coalesce ifnull nullif if isfinite isinf ~~ !~~ ~~* !~~* like_escape not_like_escape ilike_escape
    not_ilike_escape ~ !~ regexp_matches regexp_full_match starts_with ^@ prefix suffix ends_with contains length len
    strlen lower upper lcase ucase trim ltrim rtrim left right substring substr position strpos instr
    year month day hour minute second dayofweek isodow dayofyear week quarter epoch date_part date_trunc datepart
    datetrunc date_diff datediff
""")
_TYPES: Final = _set("""
    BOOLEAN TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT FLOAT REAL DOUBLE DECIMAL
    NUMERIC VARCHAR TEXT STRING CHAR DATE TIME TIMESTAMP TIMESTAMPTZ INTERVAL INT INT4 INT8 INT2 BOOL FLOAT4 FLOAT8
    DATETIME
""")
_WORDS: Final = {
    "SUBQUERY": "a query of its own", "PARAMETER": "a parameter", "WINDOW": "a window over other rows",
    "LAMBDA": "a function of its own", "STAR": "all columns at once", "POSITIONAL_REFERENCE": "a column by place",
    "COLLATE": "a collation", "DEFAULT": "a default",
}  # fmt: skip
_HINTS: Final = {"&": "and", "&&": "and", "|": "or", "||": "or"}


def check_select(answer: dict[str, Any], empty: dict[str, Any]) -> list[str]:
    """Return the columns that a serialized `SELECT (condition)` refers to.

    `empty` is what `SELECT (1)` serializes to: apart from the one expression the two must agree, so whatever
    else a statement can hold, this one does not. Raises Malformed, and Forbidden for what is no condition.
    """
    if answer.get("error"):
        raise Malformed(" ".join(str(answer.get("error_message", "not SQL")).split())[:160])
    statements, template = answer["statements"], empty["statements"]
    if len(statements) != 1:
        raise Forbidden("it holds several statements")
    node, model = statements[0]["node"], template[0]["node"]
    expressions = node.get("select_list", [])
    if len(expressions) != 1:
        raise Forbidden("it is more than one condition")
    columns = list(dict.fromkeys(_columns(expressions[0])))
    if node.keys() != model.keys() or _shape(_rest(statements[0])) != _shape(_rest(template[0])):
        raise Forbidden("it is more than a condition: it names a table or a clause of its own")
    return columns


def _rest(statement: dict[str, Any]) -> dict[str, Any]:
    node = {key: value for key, value in statement["node"].items() if key != "select_list"}
    return {**statement, "node": node}


def _shape(value: Any) -> Any:
    """Return a tree without the places where things stand in the text."""
    if isinstance(value, dict):
        return {key: _shape(item) for key, item in value.items() if not key.startswith("query_location")}
    return [_shape(item) for item in value] if isinstance(value, list) else value


def _columns(expression: dict[str, Any]) -> Iterator[str]:
    pending: list[Any] = [expression]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending.extend(reversed(node))
        if not isinstance(node, dict):
            continue
        if "class" in node:
            _check_node(node)
            if node["class"] == "COLUMN_REF":
                yield _name(node)
                continue
        pending.extend(reversed([value for value in node.values() if isinstance(value, (dict, list))]))


def _check_node(node: dict[str, Any]) -> None:
    kind, type_ = node["class"], node.get("type")
    if kind not in _CLASSES or node.get("alias") not in ("", None):
        raise Forbidden(f"it uses {_WORDS.get(kind, str(kind).lower().replace('_', ' '))}")
    if kind == "OPERATOR" and type_ not in _OPERATORS:
        raise Forbidden(f"it uses {str(type_).lower().replace('_', ' ')}")
    if kind == "TYPE" and str(node.get("type_name", "")).upper().removesuffix(" WITH TIME ZONE") not in _TYPES:
        raise Malformed(f"{node.get('type_name')} is no type mlver knows")
    if kind == "FUNCTION":
        _check_function(node)
    if kind == "COMPARISON" and any(_is_null(node.get(side)) for side in ("left", "right")):
        if type_ in ("COMPARE_DISTINCT_FROM", "COMPARE_NOT_DISTINCT_FROM"):
            return
        raise Malformed("nothing equals null: write `is null`")


def _check_function(node: dict[str, Any]) -> None:
    name = str(node.get("function_name", "")).lower()
    if name not in _FUNCTIONS:
        if node.get("is_operator"):
            more = f": write {_HINTS[name]}" if name in _HINTS else ""
            raise Malformed(f"the operator {name} is not read{more}")
        raise Forbidden(f"it calls {name}, which a condition may not")
    if node.get("schema") or node.get("catalog") or node.get("distinct") or node.get("filter"):
        raise Forbidden(f"it calls {name} as more than a function of the row")
    if (node.get("order_bys") or {}).get("orders"):
        raise Forbidden(f"it calls {name} over several rows")


def _is_null(node: Any) -> bool:
    if not isinstance(node, dict) or node.get("class") != "CONSTANT":
        return False
    value = node.get("literal") or node.get("value") or {}
    return value.get("kind") == "NULL_LITERAL" or value.get("is_null") is True


def _name(node: dict[str, Any]) -> str:
    names = node.get("column_names", [])
    if len(names) != 1:
        raise Malformed(f'{".".join(names)} is no column; quote a name with dots: "{".".join(names)}"')
    return str(names[0])
