"""A stand-in for 360dialog's media endpoints: a real HTTP server that behaves as the provider's page says.

The specification is 360dialog's page "Upload, retrieve or delete media" (called "the page" throughout).
Where it speaks, the sandbox obeys it to the letter, whether or not our own client likes it; where it is
silent (status codes and bodies of errors), the sandbox follows Meta's documented Graph error format, and the
one table of :mod:`sandbox.error_responses` names the source of each row.

What we decided where the page leaves a choice:

* A look-up that is refused because of a block is an "error response" and so counts for the rule of 20 in 60
  minutes; it is no "failed request to the /media endpoint", which it never reached, and so does not count
  for the rule of five in one hour. A block lasts as long as the page says, however often it is run into.
* Only ``GET /{media-id}`` counts for, and is hit by, the two rules: not downloads, not deletes, not uploads.
* "Use" is sending a message that does not fail. Looking a media ID up or downloading it does not lengthen
  its life.
* A request without a known key belongs to no number, so no limit counts it.
* A fault set by a test counts as the provider's own answer would: an error on a look-up is an error response.
"""
