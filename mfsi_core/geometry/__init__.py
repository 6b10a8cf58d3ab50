"""Geometry: where pixels of frames lie in the scene.

bilinear.py      the shares of the four pixels around a position, and where a cell holds a value; compiled
points.py        where frames sampled scene positions that lie on no grid
registration.py  where each pixel of each frame sampled the scene
warp.py          the frame position q that sampled a scene position p, the solution of q + u(q) = p
"""
