"""The only kernel package that knows registers, descriptors and page-table entries."""
