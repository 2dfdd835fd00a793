"""Samples: formats, resampling, the clock of what is played, and the devices that record and play."""
