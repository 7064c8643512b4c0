"""What the ledger knows, as values: claims, batches and their legal changes."""
