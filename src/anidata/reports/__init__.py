"""What a person is shown of a workspace: tables, the funnel, status, contact sheet, page."""
