"""Lineart: the styles, their choice by name, what is done to drawn lines, and tests of true lines."""
