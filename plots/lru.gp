# Three panels over virtual time: sizes of the LRU lists; refaults and misses; what reclaim took.
height = 640
load style
div = time_div(x_greatest - x_least)
t(x) = (x - x_least) / div
mib(pages) = pages * max_page_bytes / 1048576.
top(v) = v > 0 ? v * 1.25 : 1
max2(a, b) = a > b ? a : b
set ylabel offset 0.8,0
set multiplot
set lmargin screen 0.1
set rmargin screen 0.985
set xrange [0:t(x_greatest) > 0 ? t(x_greatest) : 1]
set key top left inside horizontal Left reverse
set format x ""

set tmargin screen 0.93; set bmargin screen 0.66
set yrange [0:top(max2(max2(max_nr_active_anon, max_nr_inactive_anon), max2(max_nr_active_file, max_nr_inactive_file)) * mib(1))]
set ylabel "on the list, MiB"
plot data using (t(column("virtual_ns"))):(mib(column("nr_active_anon"))) with steps lc rgb BLUE lw 2 title "active anonymous", \
	"" using (t(column("virtual_ns"))):(mib(column("nr_inactive_anon"))) with steps lc rgb SKY lw 2 title "inactive anonymous", \
	"" using (t(column("virtual_ns"))):(mib(column("nr_active_file"))) with steps lc rgb RED lw 2 title "active file", \
	"" using (t(column("virtual_ns"))):(mib(column("nr_inactive_file"))) with steps lc rgb ORANGE lw 2 title "inactive file"

unset label 998; unset label 999
set tmargin screen 0.62; set bmargin screen 0.37
many = max_workingset_refault >= 10000 ? 1e3 : 1.
set yrange [0:top(max_workingset_refault / many)]
set ylabel (many > 1 ? "so far, thousands" : "so far")
plot data using (t(column("virtual_ns"))):(column("workingset_refault") / many) with steps lc rgb GREEN lw 2 title "refaults", \
	"" using (t(column("virtual_ns"))):(column("workingset_activate") / many) with steps lc rgb PINK lw 2 title "activated at once", \
	"" using (t(column("virtual_ns"))):(column("pgmajfault") / many) with steps lc rgb GREY lw 2 title "major faults"

set tmargin screen 0.33; set bmargin screen 0.09
set format x "%g"
set format y "%g"
set xlabel "virtual time, ".time_unit(x_greatest - x_least) offset 0,0.4
set yrange [0:top(max2(max_pswpout, max_pswpin) * mib(1))]
set ylabel "swapped so far, MiB"
set label 999 hash at screen 0.995,(7. / height) right font ",9" tc rgb GREY
plot data using (t(column("virtual_ns"))):(mib(column("pswpout"))) with steps lc rgb BLUE lw 2 title "out", \
	"" using (t(column("virtual_ns"))):(mib(column("pswpin"))) with steps lc rgb ORANGE lw 2 title "in"
unset multiplot
