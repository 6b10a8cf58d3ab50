"""Geometry: where pixels of frames lie in the scene.

bilinear.py      bilinear interpolation, compiled: weights of the four pixels around a position, and its inverse
points.py        where every frame sampled given scene positions, such as the repeats of a motif
registration.py  the result of registering: displacement of every pixel of every frame, errors, frames left out
warp.py          the inverse of the displacement: the frame position q that sampled a scene position p, q + u(q) = p
"""
