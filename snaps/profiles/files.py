"""The profiles file on disk: Zarr, or netCDF4 where the name ends in ``.nc``."""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from snaps.errors import InputError, OutputExistsError
from snaps.outputs import replacing
from snaps.profiles.digests import with_digest, without_digest
from snaps.profiles.reading import loaded, opened_tree
from snaps.profiles.stores import is_store
from snaps.schema import (
    ACTIVATION,
    COUNT,
    COVERAGE,
    GROUP,
    LAG,
    SALIENCY,
    UNALIGNED,
    check_storable,
    decode_attribute,
    encode_attributes,
    validate_tree,
)

#: Zarr's chunks hold whole groups, about this many bytes of them.
CHUNK_BYTES = 16 * 2**20
#: Stores are written in Zarr format 2: in format 3, text and consolidated metadata are not yet specified.
ZARR_FORMAT = 2


def save_profiles(profiles: xr.DataTree, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write profiles to a Zarr store, or to a netCDF4 file if the name ends in ``.nc``.

    The file is written under another name beside its place, seen on the disk, and then renamed: it appears whole
    or not at all. Groupings that were added to the tree, say by `regroup`, are entered into its attributes.

    Parameters
    ----------
    profiles : DataTree
        A whole profiles tree, its root included.
    path : path
        Where to write. Missing folders above it are made.
    overwrite : bool
        Whether to replace what is there. A folder that is no Zarr store is never replaced.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    InputError
        If `profiles` is no profiles tree.
    OutputExistsError
        If there is something already and it may not be replaced.
    """
    if not isinstance(profiles, xr.DataTree):
        raise InputError(f"save_profiles writes a whole profiles tree; received {type(profiles).__name__}")
    target = Path(path)
    tree = _ordered(profiles, "the tree to be saved")
    check_storable(tree)
    refuse_existing(target, overwrite=overwrite)
    with replacing(target) as partial:
        _write(with_digest(tree), partial, netcdf=_is_netcdf(target))
        # Somebody else may have written meanwhile.
        refuse_existing(target, overwrite=overwrite)
    return target


def open_profiles(path: str | os.PathLike[str]) -> xr.DataTree:
    """Read a profiles file into memory.

    Parameters
    ----------
    path : path
        A Zarr store or a netCDF4 file.

    Returns
    -------
    DataTree
        ``/{grouping}/{layer}``, in the order in which groupings and layers were computed.

    Raises
    ------
    MissingFileError
        If there is nothing at `path`.
    InputError
        If it is not a profiles file, is one of a later version, or would have to be unpickled.
    """
    source = Path(path)
    where = f"the file {str(source)!r}"
    with _quiet_zarr(), opened_tree(source, where, kind="a profiles file") as opened:
        # Attributes first: a file of something else need not be read to be refused.
        validate_tree(_plain(opened), where)
        tree = _ordered(loaded(opened, where), where)
    for node in tree.leaves:
        _refuse_holes(node.to_dataset(), f"the profiles {node.path!r} of {where}")
    return without_digest(tree, where)


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Refuse an output that exists, unless it may be replaced and is a file or a Zarr store.

    Raises
    ------
    OutputExistsError
        Naming the output.
    """
    if not os.path.lexists(path):  # Path.exists raises where a folder above may not be entered
        return
    if not overwrite:
        raise OutputExistsError(f"the output {str(path)!r} exists; give another name, or overwrite it")
    # Whoever mistypes a name must not lose a folder of something else.
    if path.is_dir() and not path.is_symlink() and not is_store(path):
        raise OutputExistsError(f"the output {str(path)!r} is a folder that is no Zarr store; it is not overwritten")


def _is_netcdf(path: Path) -> bool:
    return path.suffix.lower() == ".nc"


def _ordered(tree: xr.DataTree, where: str) -> xr.DataTree:
    """Check a tree and rebuild it in the order that its attributes name, without a store's encodings."""
    attributes = _plain_attributes(tree.attrs)
    if "groupings" in attributes:
        attributes["groupings"] = _first(decode_attribute(attributes, "groupings", where), tree.children)
    attributes = encode_attributes(attributes)
    plain = _plain(tree)
    plain.attrs = dict(attributes)
    validate_tree(plain, where)
    nodes: dict[str, xr.Dataset] = {"/": xr.Dataset(attrs=attributes)}
    for grouping in decode_attribute(attributes, "groupings", where):
        nodes[f"/{grouping}"] = xr.Dataset(attrs=encode_attributes(_plain_attributes(plain[grouping].attrs)))
        for layer in _first(decode_attribute(attributes, "layers", where), plain[grouping].children):
            nodes[f"/{grouping}/{layer}"] = _clean(plain[f"{grouping}/{layer}"].to_dataset())
    return xr.DataTree.from_dict(nodes, name=tree.name)


def _first(names: Iterable[str], present: Iterable[str]) -> list[str]:
    """`names`, followed by those present that they lack."""
    names = list(names)
    return names + [name for name in present if name not in names]


def _plain(tree: xr.DataTree) -> xr.DataTree:
    """Copy a tree, so that its attributes are Python's own numbers and texts."""
    copy = tree.copy(deep=False)
    for node in copy.subtree:
        node.attrs = dict(_plain_attributes(node.attrs))
    return copy


def _plain_attributes(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """NetCDF gives NumPy scalars back where numbers were written."""
    return {str(name): value.item() if isinstance(value, np.generic) else value for name, value in attributes.items()}


def _clean(dataset: xr.Dataset) -> xr.Dataset:
    dataset = dataset.drop_encoding()
    if dataset[GROUP].dtype.kind != "U":
        labels = np.array([str(label) for label in dataset[GROUP].values], dtype=str)
        dataset = dataset.assign_coords({GROUP: (GROUP, labels, dataset[GROUP].attrs)})
    return dataset.assign_attrs(encode_attributes(_plain_attributes(dataset.attrs)))


def _write(tree: xr.DataTree, path: Path, *, netcdf: bool) -> None:
    if netcdf:
        encoding = _encodings(tree, lambda _: {"zlib": True, "complevel": 4, "shuffle": True, "fletcher32": True})
        tree.to_netcdf(path, engine="h5netcdf", encoding=encoding)
    else:
        tree.to_zarr(path, mode="w-", zarr_format=ZARR_FORMAT, encoding=_encodings(tree, _zarr_encoding))


def _encodings(
    tree: xr.DataTree, encoding: Callable[[xr.DataArray], dict[str, Any]]
) -> dict[str, dict[str, dict[str, Any]]]:
    return {
        node.path: {str(name): encoding(variable) for name, variable in node.data_vars.items()}
        for node in tree.subtree
        if node.has_data
    }


def _zarr_encoding(variable: xr.DataArray) -> dict[str, Any]:
    if variable.size == 0:
        return {}
    groups = max(1, CHUNK_BYTES // max(1, variable.nbytes // variable.shape[0]))
    return {"chunks": (min(groups, variable.shape[0]), *variable.shape[1:])}


def _refuse_holes(dataset: xr.Dataset, where: str) -> None:
    """Refuse profiles with missing chunks: Zarr reads those as NaN or 0, without a word; and what cannot be."""
    activation, saliency, coverage = (dataset[name] for name in (ACTIVATION, SALIENCY, COVERAGE))
    if dataset.indexes[GROUP].has_duplicates:
        raise InputError(f"{where} are damaged: labels of groups occur twice")
    if not min(activation.shape):
        raise InputError(f"{where} are damaged: their shape is {activation.shape}")
    if not bool(np.isfinite(dataset[LAG]).all()) or not bool((np.diff(dataset[LAG]) > 0).all()):
        raise InputError(f"{where} are damaged: the values of {LAG!r} do not ascend")
    for name, holes in {
        ACTIVATION: activation.isnull() & (coverage > 0),
        SALIENCY: saliency.isnull(),
        COVERAGE: activation.notnull() & (coverage.sum() == 0),
    }.items():
        if bool(holes.any()):
            raise InputError(f"{where} are damaged: values of {name!r} are missing")
    for name in (COVERAGE, UNALIGNED):
        if bool(((dataset[name] < 0) | (dataset[name] > dataset[COUNT])).any()):
            raise InputError(f"{where} are damaged: values of {name!r} are not between 0 and {COUNT!r}")


@contextmanager
def _quiet_zarr() -> Iterator[None]:
    """Keep a store that somebody else wrote from warning of texts in format 3, and of files that are none of Zarr's."""
    import zarr.errors

    with warnings.catch_warnings():
        for name in ("UnstableSpecificationWarning", "ZarrUserWarning"):
            if hasattr(zarr.errors, name):
                warnings.simplefilter("ignore", getattr(zarr.errors, name))
        yield
