"""How fast it is, shown beside its peers in one run: `./xiapai bench`. One file for each path; README.md says what is measured."""
