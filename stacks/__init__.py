"""The program and its environments: settings in, components out, contract exported."""
