"""Pictures with lettering, to fit by which way it reads."""
