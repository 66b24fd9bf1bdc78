"""What the files of a run say, as plain numbers; nothing here draws."""
