"""Views of a workspace for people: tables, the funnel, status, contact sheet, page."""
