"""Pictures of what `pykern.report.data` has found; all of matplotlib is in here.

Figures are made as objects and drawn by Agg, with the library's own defaults: neither a screen nor
the settings of whoever draws change a picture.
"""
