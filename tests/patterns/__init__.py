"""Regular expressions that meet what strangers wrote: each takes time in proportion to the text."""
