# Four small panels, one bar a machine.
height = 108 + 26 * rows
load style
set multiplot
set border 1
set yrange [rows - 0.4:-0.6]
set grid xtics noytics
unset key
set ytics scale 0
set tmargin screen 1 - 78. / height; set bmargin screen 30. / height
array left[4] = [0.15, 0.37, 0.59, 0.81]
panel = 0
do for [what in "faults resident tables speed"] {
	panel = panel + 1
	set lmargin screen left[panel]; set rmargin screen left[panel] + 0.165
	if (panel > 1) { set format y ""; unset label 998; unset label 999 }
	if (what eq "faults") { set label 1 "faults" at graph 0,1.07 left font ",12"; v(i) = column("pgfault"); f = "h" }
	if (what eq "resident") { set label 1 "peak resident" at graph 0,1.07 left font ",12"; v(i) = column("peak_rss_anon") + column("peak_rss_file"); f = "b" }
	if (what eq "tables") { set label 1 "peak page tables" at graph 0,1.07 left font ",12"; v(i) = column("peak_pgtable_bytes"); f = "b" }
	if (what eq "speed") { set label 1 "events/s of the host" at graph 0,1.07 left font ",12"; v(i) = column("events_per_second"); f = "h" }
	top = what eq "faults" ? max_pgfault : what eq "resident" ? max_peak_rss_anon + max_peak_rss_file : what eq "tables" ? max_peak_pgtable_bytes : max_events_per_second
	text(x) = f eq "h" ? human(x) : bytes(x)
	set xrange [0:(top > 0 ? top : 1) * 1.35]
	unset xtics
	unset grid
	set border 2
	if (panel == 1) {
		plot data using (v(0)):(column("row")):(0):(v(0)):(column("row") - 0.33):(column("row") + 0.33):(colour(column("machine_index"))):ytic(stringcolumn("machine")) with boxxyerror lc rgb variable, \
			"" using (v(0)):(column("row")):(text(v(0))) with labels left offset character 0.5,0 font ",11"
	} else {
		plot data using (v(0)):(column("row")):(0):(v(0)):(column("row") - 0.33):(column("row") + 0.33):(colour(column("machine_index"))) with boxxyerror lc rgb variable, \
			"" using (v(0)):(column("row")):(text(v(0))) with labels left offset character 0.5,0 font ",11"
	}
}
unset multiplot
