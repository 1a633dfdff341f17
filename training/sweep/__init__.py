"""Sweeps: many trainings of one spec with other values, each an ordinary run. Optuna proposes the
values; what needs neither it nor torch is in sweep_facts.py and sweep_folder.py."""
