"""Arrays of a journal for dask: a task says which part of which file it reads, and holds no open file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError

if TYPE_CHECKING:
    from .windows import WindowArray


def to_dask(array: WindowArray, chunks: tuple[int, ...] | None = None) -> Any:
    """Return a dask array of dense NumPy blocks: one frame each, all channels, about 16 MB.

    Parameters
    ----------
    array : WindowArray
    chunks : tuple of int, optional
        Shape of a block instead.

    Raises
    ------
    UsageError
        If dask is not installed.
    """
    try:
        import dask.array as da
        from dask.base import tokenize
    except ImportError as error:
        raise UsageError(f"arrays that are computed later need dask ({error}): pip install 'mfsi[arrays]'") from error
    return da.from_array(  # type: ignore[no-untyped-call]
        array,
        chunks=chunks or array.chunks,
        name=f"lbj-{tokenize(array)}",
        fancy=False,
        meta=np.empty((0,) * array.ndim, array.dtype),
    )
