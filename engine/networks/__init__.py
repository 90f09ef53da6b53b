"""The networks of the observatory, one file each."""
