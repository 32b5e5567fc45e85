"""What tests of several folders use: kits, generators, stand-ins."""
