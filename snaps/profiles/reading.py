"""Opening of what xarray reads, so that whatever is wrong with a file is one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xarray as xr

from snaps.errors import InputError, MissingFileError, shortened
from snaps.outputs import in_its_place
from snaps.profiles.inspection import inspect_netcdf
from snaps.profiles.stores import inspect_store

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


@contextmanager
def opened_tree(path: Path, where: str, *, kind: str, stores: bool = True) -> Iterator[xr.DataTree]:
    """Open a netCDF4 file or a Zarr store, after a look at what it declares; values are not read yet.

    Parameters
    ----------
    path : Path
        The file.
    where, kind : str
        How sentences call it, and what it should be, with its article.
    stores : bool
        Whether it may be a Zarr store.

    Raises
    ------
    MissingFileError
        If there is nothing at `path`.
    InputError
        If it cannot be opened.
    """
    engine: dict[str, Any]
    try:
        if not path.exists():
            raise MissingFileError(f"there is no {kind.partition(' ')[2]} {str(path)!r}")
        path = in_its_place(path)
        if stores and path.is_dir():
            inspect_store(path, where)
            engine = {"engine": "zarr", "chunks": None, "consolidated": False}
        elif path.is_file() and _signature(path) == HDF5_SIGNATURE:
            inspect_netcdf(path, where, kind=kind)
            engine = {"engine": "h5netcdf"}
        else:
            accepted = "neither a Zarr store nor a netCDF4 file" if stores else "no netCDF4 file"
            raise InputError(f"{where} is not {kind}: it is {accepted}")
    except OSError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{where} cannot be read: {shortened(error.strerror or error)}") from None
    try:  # xarray raises whatever its readers stumble over
        tree = xr.open_datatree(path, decode_times=False, decode_timedelta=False, **engine)
    except Exception as error:
        raise InputError(f"{where} is not {kind}: it cannot be read ({shortened(error)})") from None
    with tree:
        yield tree


def loaded(tree: xr.DataTree, where: str) -> xr.DataTree:
    """Read all values into memory.

    Raises
    ------
    InputError
        If they cannot be decoded, or there is too little memory for them.
    """
    try:
        return tree.load()
    except MemoryError:
        raise InputError(f"{where} needs more memory than there is") from None
    except Exception as error:  # codecs raise whatever they stumble over
        raise InputError(f"{where} is damaged: {shortened(error)}") from None


def _signature(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(HDF5_SIGNATURE))
