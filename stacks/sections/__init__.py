"""The sections of the settings, a module for each group; their rules within one section stand beside their fields."""
