"""What a load is: configuration, batch and its transitions, limits, manifest, SQL, errors. Pure."""
