"""What is kept about customers: organizations, their directories, bearer tokens and attribute mappings."""
