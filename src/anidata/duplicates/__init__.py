"""What two pictures have to do with each other: codes, joins, alignment, relations."""
