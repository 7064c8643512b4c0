"""What a person asks for, told in the words that the form and the command line both print."""
