"""The folder of load files: one file, all of them, and who owns an object."""
