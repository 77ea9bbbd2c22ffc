"""Yardsticks of lineart: what each style draws of what is known, and draws where nothing is to be drawn."""
