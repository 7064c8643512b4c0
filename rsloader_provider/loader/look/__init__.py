"""What people and programs are shown of batches and objects; changes nothing."""
