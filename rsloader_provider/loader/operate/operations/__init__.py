"""What a person asks for, in the words that the form and the command line both print."""
