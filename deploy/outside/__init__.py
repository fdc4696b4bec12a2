"""Stands for what production finds already there: a trial of deploy/production.yml on one machine."""
