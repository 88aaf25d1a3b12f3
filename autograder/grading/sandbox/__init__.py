"""Run student code where it can reach nothing: `keeper` forks, `isolation` encloses, `inside` runs."""
