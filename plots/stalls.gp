# Time that tasks waited, over the size of memory, a colour for each combination of the other keys.
key_rows = (curves + 3) / 4
height = 420 + 18 * key_rows
load style
set multiplot
unset key
if (curves > 1) do for [i = 0:curves - 1] { # a legend of the whole picture
	set label 10 + i curve_[i + 1] at screen 0.09 + 0.235 * (i % 4),screen 1 - (44. + 18 * (i / 4)) / height left offset character 1.2,-0.3 font ",12" \
		point pt (5 + 2 * (i % 4)) ps 0.8 lc rgb colour(i)
}
set logscale x 2
set xtics ()
do for [k = 20:46] { b = 2. ** k; if (b >= x_least / 1.08 && b <= x_greatest * 1.08) { set xtics add (bytes(b) b) } }
set xrange [x_least / 1.08:x_greatest * 1.08]
set tmargin screen 1 - (74. + 18 * key_rows) / height; set bmargin screen 66. / height
of(i) = column("curve_index") == i
ms(v) = v / 1e6
max2(a, b) = a > b ? a : b
top(v) = v > 0 ? v * 1.1 : 1
devices = max_stall_major_fault_ns + max_stall_file_read_ns
reclaim = max_stall_direct_reclaim_ns + max_stall_limit_reclaim_ns + max_stall_direct_compaction_ns
array what = ["waiting for devices", "reclaim and compaction", "memory pressure, dashed: full"]
array most = [devices, reclaim, max_some_ns]
do for [panel = 1:3] {
	set lmargin screen 0.085 + (panel - 1) * 0.322
	set rmargin screen 0.085 + (panel - 1) * 0.322 + 0.25
	set yrange [0:top(ms(most[panel]))]
	if (panel > 1) {
		unset label 998; unset label 999
		do for [i = 0:curves - 1] { unset label 10 + i }
	}
	set label 1 what[panel] at graph 0,graph 1 offset character 0,0.8 left font ",12"
	if (panel == 1) { set ylabel "virtual milliseconds" offset 1,0 } else { unset ylabel }
	if (panel == 2) { set xlabel "memory" offset 0,0.4 } else { unset xlabel }
	if (panel == 1) {
		plot for [i = 0:curves - 1] data using (column("mem_bytes")):(of(i) ? ms(column("stall_major_fault_ns") + column("stall_file_read_ns")) : NaN) with linespoints lc rgb colour(i) lw 2 pt (5 + 2 * (i % 4)) ps 0.7
	}
	if (panel == 2) {
		plot for [i = 0:curves - 1] data using (column("mem_bytes")):(of(i) ? ms(column("stall_direct_reclaim_ns") + column("stall_limit_reclaim_ns") + column("stall_direct_compaction_ns")) : NaN) with linespoints lc rgb colour(i) lw 2 pt (5 + 2 * (i % 4)) ps 0.7
	}
	if (panel == 3) {
		plot for [i = 0:curves - 1] data using (column("mem_bytes")):(of(i) ? ms(column("some_ns")) : NaN) with linespoints lc rgb colour(i) lw 2 pt (5 + 2 * (i % 4)) ps 0.7, \
			for [i = 0:curves - 1] data using (column("mem_bytes")):(of(i) ? ms(column("full_ns")) : NaN) with lines dt 2 lc rgb colour(i) lw 2
	}
}
unset multiplot
