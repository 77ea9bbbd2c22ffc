"""Two pictures: their codes, joins of many, how one lies on the other, and their relation."""
