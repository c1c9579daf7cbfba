#!/bin/bash
# simulation: a run in an allocation that one waits for, by salloc: it is restarted in it; started again, it goes on.
# Made by: seamark slurm-script --nodes 2 --ranks 8 --time 04:00:00 --interactive -- srun ./simulation

# The checkpoints: of this run alone, on a disk that all its nodes reach. The next start goes on from the newest.
export SEAMARK_DIR="seamark-simulation"
export SEAMARK_EVERY=auto

exec salloc --job-name=simulation --nodes=2 --ntasks=8 --time=04:00:00 \
	seamark run -- srun ./simulation
