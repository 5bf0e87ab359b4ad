"""Files that a person writes, in TOML: read strictly, with the line of each fault."""
