"""The command line: parse, build the config, call the stage, show its summary."""
