"""Registration: where every pixel of every frame sampled the scene, measured on images.

along.py        displacement within rows that the fit does not follow, from what the frames' residuals have in common
area.py         registration of the frames of one area: what is believed of it, and all that the user is told
bad_parts.py    missing pixels, and rows or whole frames that show something else than the other frames
by_workers.py   `register` on a cluster, one area to a worker
hops.py         whether frames were registered a lattice period off, judged by the images
incremental.py  row registration of all frames so far, while a series is being recorded
laid.py         frames resampled onto the scene by their displacements; sums of all or half of them to compare
motion.py       how frames and rows moved, by their displacements: rows that kept still, jumps, steps within frames
placed.py       frames of one area aligned as a whole, then row by row, without what shows something else
plugins.py      registration by other packages (plugins `mfsi.registrations`), each area in a process of its own
register.py     `register`, from a series of images to the displacement of every pixel
resemblance.py  whether registered frames show the same thing: each as the others, those before as those after
rigid/          one shift per frame, from the cross-correlations of all pairs
rows/           every row of every frame has its own displacement, smooth along the row
settled.py      rows fitted with frames moved by lattice vectors, until none fits better; which fits as well is told
sight.py        along which directions the scene shows a displacement at all; along fringes, edges or wires none is seen
spikes.py       single pixels far above those around them, as cosmics and hot pixels of a detector make
threads.py      work on frames or groups of them in parallel, with the results in order
trust.py        whether images are too noisy for the frames to be aligned by them
"""
