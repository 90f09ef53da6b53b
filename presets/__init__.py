"""Networks a user can load: one TOML file each, data only."""
