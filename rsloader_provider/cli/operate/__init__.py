"""Commands that look a batch up, change what a load does next, or take it back."""
