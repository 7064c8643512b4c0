"""What tests share: fakes of the ports, fixtures, and things to load."""
