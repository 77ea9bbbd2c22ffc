"""Files opened safely; tars read under bounds, written with the same bytes every time."""
