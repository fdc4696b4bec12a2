"""督导台 the supervision desk: pages for people, rendered here from the same queries that the API answers from."""
