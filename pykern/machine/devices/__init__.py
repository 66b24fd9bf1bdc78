"""Device models, one file per chip, named by part number where there is one."""
