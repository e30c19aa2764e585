"""Compiled passes of the exact diffuse Kalman smoother: the same functions, by Numba."""

from __future__ import annotations

import numba

from mixtura.chains import diffuse_passes

__all__ = ["backward", "forward"]

_jit = numba.njit(nogil=True, cache=True)

forward = _jit(diffuse_passes.forward)
backward = _jit(diffuse_passes.backward)
