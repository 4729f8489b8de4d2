"""What a file declares, looked at before anything in it is decoded: sizes, codecs, links, kinds of files.

A header costs nothing: a few bytes can declare more values than any memory holds, name a codec that runs code, or
lead in a circle. netCDF4 files are looked at here, Zarr stores in `snaps.profiles.stores`.
"""

from pathlib import Path
from typing import Any

from snaps.errors import InputError, shortened

#: Levels of groups below the root; profiles have two.
MOST_LEVELS = 8
#: Values that a file may declare without holding bytes for them.
FREE_BYTES = 256 * 2**20
#: No codec that we write with packs more values into a byte: DEFLATE's bound is 1032.
MOST_PACKED = 1100


def inspect_netcdf(path: Path, where: str, *, kind: str) -> None:
    """Refuse a netCDF4 file whose structure no such file has.

    Parameters
    ----------
    path : Path
        A file that begins as HDF5 files do.
    where, kind : str
        How sentences call it, and what it should be, with its article.

    Raises
    ------
    InputError
        If it cannot be opened, leads in a circle or to other files, or declares more values than it can hold.
    """
    import h5py

    declared, seen = 0, set()
    try:
        with h5py.File(path, "r") as file:
            levels: list[tuple[int, Any]] = [(0, file)]
            while levels:
                level, group = levels.pop()
                for name in group:
                    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                        raise InputError(f"{where} is not read: {shortened(repr(name))} in it leads elsewhere")
                    node = group[name]
                    place = h5py.h5o.get_info(node.id).addr
                    if place in seen:
                        raise InputError(f"{where} is not read: {shortened(repr(name))} stands in it twice")
                    seen.add(place)
                    if isinstance(node, h5py.Group):
                        if level == MOST_LEVELS:
                            raise InputError(f"{where} is not read: its groups are nested deeper than {MOST_LEVELS}")
                        levels.append((level + 1, node))
                    elif isinstance(node, h5py.Dataset):
                        if node.external or node.is_virtual:
                            raise InputError(f"{where} is not read: {shortened(repr(name))} in it lies elsewhere")
                        declared += (node.size or 0) * node.dtype.itemsize
    except InputError:
        raise
    except Exception as error:  # h5py raises whatever HDF5 stumbles over
        raise InputError(f"{where} is not {kind}: it cannot be read ({shortened(error)})") from None
    refuse_empty_promise(where, declared=declared, held=path.stat().st_size)


def refuse_empty_promise(where: str, *, declared: int, held: int) -> None:
    """Refuse a file that declares more bytes of values than its own bytes can hold, or than there is memory for.

    Raises
    ------
    InputError
        Naming both.
    """
    import psutil

    free = psutil.virtual_memory().available
    if declared > FREE_BYTES + MOST_PACKED * held:
        raise InputError(f"{where} is damaged: it declares {declared:.3g} bytes of values, and holds {held:,} bytes")
    if declared > free:
        raise InputError(f"{where} holds {declared / 2**30:.1f} GiB of values, and {free / 2**30:.1f} GiB are free")
