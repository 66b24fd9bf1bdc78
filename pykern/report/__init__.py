"""Pictures of a run, from the files that `pykern boot` leaves: same files, same report.

`data` finds the numbers, `drawing` makes pictures of them, which needs matplotlib (the extra
`pykern[report]`), `page` puts them into one HTML file.
"""
