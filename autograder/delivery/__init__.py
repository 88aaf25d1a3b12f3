"""From this repository to a running course, and back: what students get, how work comes in and marks go out."""
