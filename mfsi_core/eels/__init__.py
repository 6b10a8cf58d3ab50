"""EELS: energy axes, backgrounds, noise and denoising of electron energy-loss spectra.

denoise_changes.py  how much denoising has changed in each pixel and channel, in units of the noise
denoise_figure.py   figure of what denoising has changed where
denoising.py        spectra rebuilt from a few principal components (PCA), recorded in the journal's source
descan.py           the plane of energy shifts that a moving beam leaves in a spectrum image
saturation.py       channels that stand at the largest value that the detector or the file can hold
shift_spectra.py    energy shifts applied to spectra (alignment), or stored in a journal
gain_averaging.py   frames at several energy offsets, so that the pattern of the detector averages out
log_linear.py       exponentials (power laws) fitted to noisy counts of all pixels, without bias at few counts
noise.py            gain and read noise, measured on the data; spikes removed
onsets.py           where edges of a sum spectrum begin, compared with the table, to align the energy axis
outliers.py         bad channels and spikes, found by what surrounds them in spectrum, image and time, and replaced
power_law.py        power-law background of EELS: fitted before an edge, extrapolated below it, with its uncertainty
zero_loss.py        how far every spectrum of a low loss lies from where its zero-loss peak should be
"""
