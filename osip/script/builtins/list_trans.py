"""Take lists apart: the `param.`, `nameaddr.` and `csv.` transformations (variables.md sections 9.4, 9.5, 9.7)."""
from __future__ import annotations

import csv

from osip.api import Module, NameAddr, Value, parse_name_addr, split_commas, transform
from osip.core.sip.params import Params, find_param, parse_params, unquote


def _params(value: Value) -> Params:
    return parse_params(str(value).strip().rstrip(";"))


def _position(value: Value, count: int) -> int | None:
    place = value if isinstance(value, int) else int(str(value).strip())
    return place if -count <= place < count else None


def _address(value: Value, index: int) -> NameAddr | None:
    text = str(value).strip()
    parts = split_commas(text) if "," in text else [text]
    return parse_name_addr(parts[index]) if -len(parts) <= index < len(parts) else None


def _row(value: Value) -> list[str]:
    return next(csv.reader([str(value)], strict=True), None) or [""]


class CoreListTrans(Module):
    """The `param.`, `nameaddr.` and `csv.` transformations."""
    name = "core_list_trans"

    @transform("param.value")
    def param_value(value: Value, name: Value) -> Value:
        """The value of a parameter by name, "" when it has none."""
        found = find_param(_params(value), str(name).strip())
        return unquote(found) if found else found

    @transform("param.exist")
    def param_exist(value: Value, name: Value) -> Value:
        """1 when there is a parameter of that name, else 0."""
        return int(find_param(_params(value), str(name).strip()) is not None)

    @transform("param.valueat")
    def param_valueat(value: Value, index: Value) -> Value:
        """The value of the n-th parameter."""
        params = _params(value)
        place = _position(index, len(params))
        return None if place is None else unquote(params[place][1] or "")

    @transform("param.name")
    def param_name(value: Value, index: Value) -> Value:
        """The name of the n-th parameter."""
        params = _params(value)
        place = _position(index, len(params))
        return None if place is None else params[place][0]

    @transform("param.count")
    def param_count(value: Value) -> Value:
        """The number of parameters."""
        return len(_params(value))

    # --- name-addr -----------------------------------------------------------------------------------------------

    @transform("nameaddr.name")
    def address_name(value: Value, *, index: int = 0) -> Value:
        """The display name as written, with its quotes."""
        address = _address(value, index)
        return None if address is None else address.display or None

    @transform("nameaddr.uri")
    def address_uri(value: Value, *, index: int = 0) -> Value:
        """The URI."""
        address = _address(value, index)
        return None if address is None else address.uri_text

    @transform("nameaddr.len")
    def address_len(value: Value, *, index: int = 0) -> Value:
        """The length of the name-addr in bytes, its parameters not counted."""
        address = _address(value, index)
        if address is None:
            return None
        if not address.has_brackets:
            return len(address.uri_text.encode("utf-8", "surrogateescape"))
        parts = split_commas(str(value).strip())
        whole = parts[index].encode("utf-8", "surrogateescape")
        return len(whole) - len(address.params_text.encode("utf-8", "surrogateescape"))

    @transform("nameaddr.param")
    def address_param(value: Value, name: Value, *, index: int = 0) -> Value:
        """One parameter, "" when it has no value."""
        address = _address(value, index)
        return None if address is None else address.param(str(name).strip())

    @transform("nameaddr.params")
    def address_params(value: Value, *, index: int = 0) -> Value:
        """All parameters, without the leading semicolon."""
        address = _address(value, index)
        return None if address is None else address.params_text.strip().lstrip(";") or None

    # --- comma-separated values (RFC 4180) -----------------------------------------------------------------------

    @transform("csv.count")
    def csv_count(value: Value) -> Value:
        """The number of fields."""
        return len(_row(value))

    @transform("csv.value")
    def csv_value(value: Value, index: Value) -> Value:
        """The n-th field without its quotes, negative from the end."""
        fields = _row(value)
        place = _position(index, len(fields))
        return None if place is None else fields[place]
