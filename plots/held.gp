# Asked for below, held above.
load style
div = time_div(x_greatest - x_least)
t(x) = (x - x_least) / div
mib(v) = v / 1048576.
set xlabel "virtual time, ".time_unit(x_greatest - x_least)
set ylabel "MiB" offset 0.8,0
set xrange [0:t(x_greatest) > 0 ? t(x_greatest) : 1]
set yrange [0:mib(max_heap_size) * 1.25]
set key top right inside
plot data using (t(column("ts"))):(mib(column("heap_size"))) with fillsteps fc rgb ORANGE fs transparent solid 0.25 notitle, \
	"" using (t(column("ts"))):(mib(column("heap_size"))) with steps lc rgb ORANGE lw 2 title "held by the heap", \
	"" using (t(column("ts"))):(mib(column("heap_used"))) with steps lc rgb BLUE lw 2 title "asked for"
