"""The folder of load files: one file, all of them, and which load owns an object."""
