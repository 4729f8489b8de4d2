"""A SHA-256 of what a tree says, kept with it, so that damage on disk is seen.

It is taken over names, dimensions, types, attributes and values, not over bytes of a file: netCDF and Zarr, whatever
their compression, hold the same digest, and any program reads them as before.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import xarray as xr

from snaps.errors import InputError
from snaps.outputs import replacing

#: Attribute of the root that holds the digest.
DIGEST = "content_sha256"
_NUMBERS, _TEXTS = "biuf", "UOT"

Tree = TypeVar("Tree", xr.DataTree, xr.Dataset)


def with_digest(tree: Tree) -> Tree:
    """Copy a tree or data set with the digest of its content among its attributes.

    One that holds other values than numbers and texts, dates for instance, gets none.
    """
    found = content_digest(tree)
    copy = _undigested(tree)
    if found is not None:
        copy.attrs[DIGEST] = found
    return copy


def write_netcdf(tree: Tree, path: Path) -> None:
    """Write a tree or data set with its digest to a netCDF file, which appears at once and whole.

    Raises
    ------
    OSError
        If it cannot be written; what was there is untouched.
    """
    with replacing(path) as partial:
        with_digest(tree).to_netcdf(partial, engine="h5netcdf")


def without_digest(tree: Tree, where: str) -> Tree:
    """Copy a tree or data set without the digest, if its content is what the digest says.

    Raises
    ------
    InputError
        If its content is another.
    """
    told = tree.attrs.get(DIGEST)
    if told is not None and told != content_digest(tree):
        raise InputError(
            f"{where} is damaged, or was changed by another program: its content and its SHA-256 differ; if the change "
            f"was meant, delete the attribute {DIGEST!r} of its root"
        )
    return _undigested(tree)


def _undigested(tree: Tree) -> Tree:
    copy = tree.copy(deep=False)
    copy.attrs = {name: value for name, value in tree.attrs.items() if name != DIGEST}
    return copy


def content_digest(tree: xr.DataTree | xr.Dataset) -> str | None:
    """SHA-256 of everything but the digest itself; None where values are neither numbers nor texts.

    Examples
    --------
    >>> one, other = xr.Dataset({"a": ("x", [1.0, 2.0])}), xr.Dataset({"a": ("x", [1.0, 2.5])})
    >>> content_digest(one) == content_digest(one.copy()), content_digest(one) == content_digest(other)
    (True, False)
    """
    whole = xr.DataTree(tree) if isinstance(tree, xr.Dataset) else tree
    digest = hashlib.sha256()
    for node in sorted(whole.subtree, key=lambda node: node.path):
        dataset = node.to_dataset(inherit=False)
        own = {name: value for name, value in dataset.attrs.items() if node.path != whole.path or name != DIGEST}
        _add(digest, [node.path, _attributes(own)])
        for name in sorted(dataset.variables, key=str):
            variable = dataset.variables[name]
            if variable.dtype.kind not in _NUMBERS + _TEXTS:
                return None
            _add(digest, [str(name), list(map(str, variable.dims)), list(variable.shape), _attributes(variable.attrs)])
            values = variable.values
            if values.dtype.kind in _TEXTS:
                _add(digest, ["text", [str(value) for value in values.ravel()]])
            else:
                _add(digest, [values.dtype.newbyteorder("<").str])
                digest.update(_bytes(values))
    return digest.hexdigest()


def _add(digest: Any, what: Any) -> None:
    digest.update(json.dumps(what, separators=(",", ":")).encode())


def _bytes(values: np.ndarray) -> bytes:
    if values.dtype.kind == "f":
        # Stores keep neither the sign of zero nor which of many NaNs it was.
        values = np.where(np.isnan(values), np.array(np.nan, values.dtype), values + np.array(0, values.dtype))
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).tobytes()


def _attributes(attributes: Mapping[Any, Any]) -> list[list[Any]]:
    return [[str(name), _plain(value)] for name, value in sorted(attributes.items(), key=lambda item: str(item[0]))]


def _plain(value: Any) -> Any:
    """One attribute as both stores give it back: NumPy's numbers, and lists of one, become Python's numbers."""
    if isinstance(value, np.ndarray | list | tuple):
        items = [_plain(item) for item in (value.ravel().tolist() if isinstance(value, np.ndarray) else value)]
        return items[0] if len(items) == 1 else items
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, int | float | str) else str(value)
