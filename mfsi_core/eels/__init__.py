"""EELS: energy axes, backgrounds, noise and denoising of electron energy-loss spectra.

denoise_changes.py  how much denoising has changed where, in units of the noise
denoise_figure.py   figure of what denoising has changed where
denoising.py        spectra rebuilt from a few principal components, an explicit step that stays on record
descan.py           the plane of energy shifts that a moving beam leaves in a spectrum image
shift_spectra.py    energy shifts applied to spectra, and kept in a journal
gain_averaging.py   frames at several energy offsets, so that the pattern of the detector averages out
log_linear.py       exponentials of a linear model to noisy counts, all pixels at once
noise.py            noise of a spectrum image, measured on itself
onsets.py           where the edges of a sum spectrum begin, against where the table says
outliers.py         bad channels and spikes, found by what surrounds them in spectrum, image and time, and replaced
power_law.py        power-law background of EELS: fitted before an edge, extrapolated below it, with its uncertainty
zero_loss.py        how far every spectrum of a low loss lies from where its zero-loss peak should be
"""
