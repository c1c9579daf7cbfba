# SPDX-License-Identifier: BSD-3-Clause
# The table of usual.sh as bars: what a run loses, how long it is held, until the checkpoint is durable, and until it is read back.
set terminal svg size 900,560 font "sans,12" background "white"
set output output
set style data histograms
set style fill solid 0.8 border -1
set boxwidth 0.8
set grid ytics
unset key
set multiplot layout 2,2
set yrange [0:*]
set title "whole run, % longer than without checkpoints"
plot "< tail -n +3 ".table using (($2 - 1) * 100):xtic(1) linecolor rgb "#1b6ca8"
set title "held at a checkpoint, s"
plot "< tail -n +3 ".table using 3:xtic(1) linecolor rgb "#c8553d"
set title "until it is durable, s"
plot "< tail -n +3 ".table using 4:xtic(1) linecolor rgb "#588157"
set title "restart, s"
plot "< tail -n +3 ".table using 6:xtic(1) linecolor rgb "#7d5ba6"
unset multiplot
