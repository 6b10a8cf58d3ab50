"""Registration: where every pixel of every frame sampled the scene, measured on images.

area.py         registration of the frames of one area, and what is to be said of it
bad_parts.py    pixels that were not recorded, and rows of a frame that show something else than the other frames
by_workers.py   `register` by workers, an area each
hops.py         whether some frames of a fitted series lie a lattice period off, by the evidence of what they show
incremental.py  rows of all frames so far, when a series that is still being recorded is looked at as a whole
laid.py         frames laid on the scene where their displacements say, and sums of some of them compared with others
plugins.py      registrations of other packages, each area in a process of its own
register.py     from a series of images to the displacement of every pixel
rigid/          one shift per frame, from the cross-correlations of all pairs
rows/           every row of every frame has its own displacement, smooth along the row
sight.py        the directions in which a scene shows that it was displaced
threads.py      work on parts of a series side by side; results come in the order of the parts
trust.py        whether images are too noisy for their frames to be laid on one another
"""
