"""Registration: where every pixel of every frame sampled the scene, measured on images.

area.py         registration of the frames of one area: rigid, hops, rows, errors and warnings
bad_parts.py    missing pixels, and rows or whole frames that show something else than the others
by_workers.py   `register` by workers, an area each
hops.py         whether frames were registered a lattice period off, by the evidence of the images
incremental.py  row registration of all frames so far, while a series is being recorded
laid.py         frames resampled onto the scene by their displacements, whole or in halves, to be compared
plugins.py      registrations of other packages (plugins `mfsi.registrations`), each area in a process of its own
register.py     `register`, from a series of images to the displacement of every pixel
rigid/          one shift per frame, from the cross-correlations of all pairs
rows/           every row of every frame has its own displacement, smooth along the row
sight.py        along which directions the scene shows a displacement at all (fringes, edges, wires do not)
threads.py      work on frames or parts in parallel, with results in their order
trust.py        whether images are too noisy for their frames to be aligned by them
"""
