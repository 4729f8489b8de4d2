"""Profiles and other results on disk: Zarr with crc32c, or netCDF4 with Fletcher-32.

Whatever a library raises while it opens or reads a file becomes one sentence here.
"""

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import xarray as xr

from snaps.errors import (
    InputError,
    MissingFileError,
    check_name,
    check_text,
    check_type,
    one_of,
    reason_of,
    shortened,
)
from snaps.outputs import writing
from snaps.schema import (
    ACTIVATION,
    COUNT,
    COVERAGE,
    GROUP,
    LAG,
    SALIENCY,
    UNALIGNED,
    Provenance,
    encode_attributes,
    validate_tree,
)

#: Zarr's chunks hold whole groups, about this many bytes of them.
CHUNK_BYTES = 16 * 2**20
#: Codecs of Zarr that may decode a store. Others run code: one of them unpickles.
CODECS = ("blosc", "bytes", "crc32c", "gzip", "shuffle", "transpose", "vlen-utf8", "zlib", "zstd")
#: Files by which a Zarr store is known, of version 3 and 2.
STORE_MARKS = ("zarr.json", ".zgroup")
#: Attribute in which earlier versions kept a digest of their own.
OLD_DIGEST = "content_sha256"


def save_profiles(profiles: xr.DataTree, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write profiles to a Zarr store, or to a netCDF4 file if the name ends in ``.nc``.

    The file is written under another name beside its place, seen on the disk, and then renamed: it appears whole
    or not at all. Groupings that were added to the tree, say by `regroup`, are entered into its attributes; one without
    a group is left out, with a warning.

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
        If `profiles` is no profiles tree, or has no group at all.
    OutputExistsError
        If there is something already and it may not be replaced.
    """
    check_type("profiles", profiles, xr.DataTree, accepted="a whole profiles tree")
    target = Path(path)
    tree = _ordered(_without_empty_groupings(profiles), "the tree to be saved")
    _check_storable(tree)
    is_file = target.suffix.lower() == ".nc"
    with writing(target, overwrite=overwrite, mark=None if is_file else STORE_MARKS) as partial:
        if is_file:
            _write_netcdf(tree, partial)
        else:
            _write_zarr(tree, partial)
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
        If it is not a profiles file, is damaged, is one of a later version, or would have to be unpickled.
    """
    where = f"the file {str(path)!r}"
    tree = _ordered(read_tree(path, "a profiles file", check=lambda opened: validate_tree(opened, where)), where)
    for node in tree.leaves:
        _refuse_holes(node.to_dataset(), f"the profiles {node.path!r} of {where}")
    return tree


def write_netcdf(result: xr.DataTree | xr.Dataset, path: Path, *, overwrite: bool = False) -> None:
    """Write a result to a netCDF4 file with a Fletcher-32 checksum a chunk; it appears at once and whole.

    Raises
    ------
    OutputExistsError
        If it exists and may not be replaced.
    InputError
        If it cannot be written; what was there is untouched.
    """
    with writing(path, overwrite=overwrite) as partial:
        _write_netcdf(xr.DataTree(result) if isinstance(result, xr.Dataset) else result, partial)


def read_tree(
    path: str | os.PathLike[str], kind: str, *, check: Callable[[xr.DataTree], None], stores: bool = True
) -> xr.DataTree:
    """Read a netCDF4 file or a Zarr store into memory; any fault is one sentence.

    Parameters
    ----------
    path : path
        The file.
    kind : str
        What it should be, with its article, for the error's sentence.
    check : callable
        Raises `InputError` for a file of something else, of which no values have been read yet.
    stores : bool
        Whether a Zarr store is accepted.

    Returns
    -------
    DataTree
        In the order of the file; groups of a store are sorted by name.

    Raises
    ------
    MissingFileError
        If there is nothing at `path`.
    InputError
        If it cannot be opened or decoded, `check` refuses it, or its values take more memory than is free.
    """
    path = Path(path)
    where = f"the file {str(path)!r}"
    try:
        if not path.exists():
            raise MissingFileError(f"there is no {kind.partition(' ')[2]} {str(path)!r}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Zarr warns of texts in format 3, and of files that are none of its own
            # Libraries take ``~`` for a home, and two dots behind a link for a step back.
            with _opened(path.resolve(), stores=stores) as tree:
                check(tree)
                free = psutil.virtual_memory().available
                if tree.nbytes > free:
                    sizes = f"{tree.nbytes / 2**30:.1f} GiB of values, and {free / 2**30:.1f} GiB are free"
                    raise InputError(f"{where} holds {sizes}")
                tree = tree.load()
    except InputError:
        raise
    except Exception as error:  # every library raises what it likes
        reason = shortened(reason_of(error))
        raise InputError(f"{where} is damaged, or is not {kind}: it cannot be read ({reason})") from None
    tree.attrs.pop(OLD_DIGEST, None)
    return tree


def _without_empty_groupings(tree: xr.DataTree) -> xr.DataTree:
    """The tree without groupings that no frame has a label in; a tree without any group is refused."""
    empty = [name for name, node in tree.children.items() if all(layer.sizes.get(GROUP) == 0 for layer in node.leaves)]
    if not empty:
        return tree
    if len(empty) == len(tree.children):
        left_out = {reason: max(by.values(), default=0) for reason, by in Provenance.of(tree).left_out.items()}
        counted = ", ".join(f"{number} {reason}" for reason, number in left_out.items() if number)
        raise InputError(f"no frame was averaged, so there are no profiles to save; left out: {counted or 'nothing'}")
    warnings.warn(f"no frame has a label in the grouping {one_of(empty)}; the file lacks it", stacklevel=3)
    named = [name for name in Provenance.of(tree).groupings if name not in empty]
    kept = tree.drop_nodes(empty)
    kept.attrs = {**kept.attrs, **encode_attributes({"groupings": named})}
    return kept


def _check_storable(tree: xr.DataTree) -> None:
    """Refuse a tree with a name or a label that stores cannot hold."""
    for node in tree.subtree:
        if node.name is not None and node.parent is not None:
            check_name(node.name, "the name of a grouping" if node.level == 1 else "the name of a layer")
        for attribute, value in node.attrs.items():
            if isinstance(value, str):
                check_text(value, f"the attribute {attribute!r} of the node {node.path!r}")
        if GROUP in node.coords:
            for label in node.coords[GROUP].values:
                check_text(str(label), f"a label of the grouping {node.parent.name if node.parent else ''!r}")


def _is_store(path: Path) -> bool:
    return any((path / name).is_file() for name in (".zgroup", "zarr.json"))


def _opened(path: Path, *, stores: bool) -> xr.DataTree:
    """Open a file lazily, after a look at the codecs of a store."""
    options: dict[str, Any] = {"engine": "h5netcdf"}
    if stores and path.is_dir() and _is_store(path):
        _check_codecs(path)
        options = {"engine": "zarr", "chunks": None, "consolidated": False}
    elif path.is_file():
        import h5py

        h5py.File(path, "r").close()  # what is no HDF5 file is refused without h5netcdf's complaints
    else:
        raise ValueError("it is neither a Zarr store nor a netCDF4 file" if stores else "it is no netCDF4 file")
    return xr.open_datatree(path, decode_times=False, decode_timedelta=False, **options)


def _check_codecs(path: Path) -> None:
    """Refuse codecs other than `CODECS`, and checksummed arrays that lack a chunk, which would be read as zeros."""
    import zarr

    for name, array in zarr.open_group(path, mode="r").members(max_depth=None):
        if not isinstance(array, zarr.Array):
            continue
        found: dict[str, Any] = dict(array.metadata.to_dict())
        codecs: list[Any] = [*found.get("codecs", ()), *(found.get("filters") or ()), found.get("compressor")]
        names = [codec.get("name", codec.get("id")) for codec in codecs if codec is not None]
        if strange := [codec for codec in names if codec not in CODECS]:
            raise ValueError(f"{name!r} is stored with the codec {strange[0]!r}; accepted are {one_of(CODECS)}")
        if "crc32c" in names and array.nchunks_initialized < array.nchunks:
            raise ValueError(f"{array.nchunks_initialized} of {array.nchunks} chunks of {name!r} are there")


def _write_netcdf(tree: xr.DataTree, path: Path) -> None:
    # Texts as bytes: HDF5 has no checksum for texts of any length.
    packed = {"zlib": True, "complevel": 4, "shuffle": True, "fletcher32": True}
    tree.to_netcdf(path, engine="h5netcdf", encoding=_encodings(tree, lambda variable: {
        **(packed if variable.ndim and variable.size else {}),
        **({"dtype": "S1"} if variable.dtype.kind == "U" and variable.dtype.itemsize and variable.size else {}),
    }))  # fmt: skip


def _write_zarr(tree: xr.DataTree, path: Path) -> None:
    import zarr
    from zarr.codecs import Crc32cCodec, ZstdCodec

    codecs = (ZstdCodec(level=3), Crc32cCodec())

    def encoding(variable: xr.Variable) -> dict[str, Any]:
        groups = max(1, CHUNK_BYTES * variable.shape[0] // max(1, variable.nbytes))
        return {"compressors": codecs, "chunks": (min(groups, variable.shape[0]), *variable.shape[1:])}

    # Chunks of nothing but zeros are written too, so that a chunk that is missing is damage.
    with zarr.config.set({"array.write_empty_chunks": True}):
        # Texts of any length are the ones that format 3 specifies.
        texts = tree.map_over_datasets(lambda dataset: dataset.assign_coords(_texts(dataset, object)))
        texts.to_zarr(path, mode="w-", zarr_format=3, consolidated=False, encoding=_encodings(texts, encoding))


def _encodings(
    tree: xr.DataTree, encoding: Callable[[xr.Variable], dict[str, Any]]
) -> dict[str, dict[str, dict[str, Any]]]:
    return {
        node.path: {str(name): encoding(variable) for name, variable in node.to_dataset().variables.items()}
        for node in tree.subtree
        if node.has_data
    }


def _texts(dataset: xr.Dataset, kind: type) -> dict[str, Any]:
    """Labels of groups as Python's texts or NumPy's."""
    if GROUP not in dataset.coords:
        return {}
    labels = dataset[GROUP]
    return {GROUP: (GROUP, np.array([str(label) for label in labels.values], dtype=kind), labels.attrs)}


def _ordered(tree: xr.DataTree, where: str) -> xr.DataTree:
    """Check a tree and rebuild it in the order that its attributes name, without a store's encodings."""
    attributes = encode_attributes(tree.attrs)
    if "groupings" in attributes:
        named = Provenance.of(attributes, where).groupings
        attributes |= encode_attributes({"groupings": list(dict.fromkeys([*named, *tree.children]))})
    plain = tree.copy(deep=False)
    plain.attrs = attributes
    validate_tree(plain, where)
    provenance = Provenance.of(attributes, where)
    nodes: dict[str, xr.Dataset] = {"/": xr.Dataset(attrs=attributes)}
    for grouping in provenance.groupings:
        below = tree.children[grouping]
        nodes[f"/{grouping}"] = xr.Dataset(attrs=encode_attributes(below.attrs))
        for layer in dict.fromkeys([*provenance.layers, *below.children]):
            dataset = below.children[layer].to_dataset().drop_encoding()
            dataset = dataset.assign_coords(_texts(dataset, str))
            nodes[f"/{grouping}/{layer}"] = dataset.assign_attrs(encode_attributes(dataset.attrs))
    return xr.DataTree.from_dict(nodes, name=tree.name)


def _refuse_holes(dataset: xr.Dataset, where: str) -> None:
    """Refuse impossible values: files without checksums read missing chunks as NaN or 0."""
    activation, saliency, coverage, count = (dataset[name] for name in (ACTIVATION, SALIENCY, COVERAGE, COUNT))
    faults = {
        "labels of groups occur twice": dataset.indexes[GROUP].has_duplicates,
        f"the values of {LAG!r} do not ascend": not np.isfinite(dataset[LAG]).all()
        or (np.diff(dataset[LAG]) <= 0).any(),
        f"values of {ACTIVATION!r} are missing": (activation.isnull() & (coverage > 0)).any(),
        f"values of {SALIENCY!r} are missing": saliency.isnull().any(),
        f"values of {COVERAGE!r} are missing": (activation.notnull() & (coverage.sum() == 0)).any(),
        **{
            f"values of {name!r} are not between 0 and {COUNT!r}": ((dataset[name] < 0) | (dataset[name] > count)).any()
            for name in (COVERAGE, UNALIGNED)
        },
    }
    for fault, found in faults.items():
        if found:
            raise InputError(f"{where} are damaged: {fault}")
