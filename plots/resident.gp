# Three panels over one axis of virtual time.
height = 640
load style
div = time_div(x_greatest - x_least)
t(x) = (x - x_least) / div
page = page_bytes > 0 ? page_bytes / 1048576. : 1.
set ylabel offset 0.8,0
set multiplot
set lmargin screen 0.1
set rmargin screen 0.985
set xrange [0:t(x_greatest) > 0 ? t(x_greatest) : 1]
set key top left inside horizontal Left reverse
set format x ""
top(v) = v > 0 ? v * 1.22 : 1
max2(a, b) = a > b ? a : b

set tmargin screen 0.93; set bmargin screen 0.66
set yrange [0:top(max2(max_rss_anon, max_rss_file) * page)]
set ylabel (page_bytes > 0 ? "resident, MiB" : "resident, pages")
plot data using (t(column("ts"))):(column("rss_anon") * page) with fillsteps fc rgb BLUE fs transparent solid 0.25 notitle, \
	"" using (t(column("ts"))):(column("rss_anon") * page) with steps lc rgb BLUE lw 2 title "anonymous", \
	"" using (t(column("ts"))):(column("rss_file") * page) with steps lc rgb ORANGE lw 2 title "file"

unset label 998; unset label 999
set tmargin screen 0.62; set bmargin screen 0.37
many = max_pgfault >= 10000 ? 1e3 : 1.
set yrange [0:top(max_pgfault / many)]
set ylabel (many > 1 ? "faults, thousands" : "faults so far")
plot data using (t(column("ts"))):(column("pgfault") / many) with steps lc rgb GREEN lw 2 title "all faults", \
	"" using (t(column("ts"))):(column("cow_copies") / many) with steps lc rgb PINK lw 2 title "copies on write", \
	"" using (t(column("ts"))):(column("pgmajfault") / many) with steps lc rgb RED lw 2 title "major"

set tmargin screen 0.33; set bmargin screen 0.09
set format x "%g"
set format y "%g"
set xlabel "virtual time, ".time_unit(x_greatest - x_least) offset 0,0.4
set yrange [0:top(max_pgtable_bytes / 1024.)]
set ylabel "page tables, KiB"
set label 999 hash at screen 0.995,(7. / height) right font ",9" tc rgb GREY
plot data using (t(column("ts"))):(column("pgtable_bytes") / 1024.) with fillsteps fc rgb SKY fs transparent solid 0.3 notitle, \
	"" using (t(column("ts"))):(column("pgtable_bytes") / 1024.) with steps lc rgb SKY lw 2 title "page tables"
unset multiplot
