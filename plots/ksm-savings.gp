# What could be saved as an area, what each scan rate saves as a line.
height = 420
load style
div = time_div(x_greatest - x_least)
t(x) = (x - x_least) / div
m(v) = v * 4096 / 1048576.
set xlabel "virtual time, ".time_unit(x_greatest - x_least)
set ylabel "saved, MiB" offset 0.8,0
set xrange [0:t(x_greatest) > 0 ? t(x_greatest) : 1]
set yrange [0:max_possible > 0 ? m(max_possible) * 1.15 : 1]
set key top left inside horizontal
plot data using (t(column("ts"))):(m(column("possible"))) with fillsteps fc rgb SKY fs transparent solid 0.25 title "possible", \
	"" using (t(column("ts"))):(m(column("rate_1600"))) with steps lc rgb BLUE lw 2 title "1600 pages a batch", \
	"" using (t(column("ts"))):(m(column("rate_400"))) with steps lc rgb GREEN lw 2 title "400", \
	"" using (t(column("ts"))):(m(column("rate_100"))) with steps lc rgb ORANGE lw 2 title "100 (default)", \
	"" using (t(column("ts"))):(m(column("rate_25"))) with steps lc rgb RED lw 2 title "25"
