# Two lines over a logarithmic axis of memory.
load style
set xlabel "memory of the machine, GiB (logarithmic)"
set ylabel "ns a page" offset 0.8,0
set logscale x 2
set yrange [0:*<400]
set offsets 0, 0, graph 0.15, 0
set xrange [0.9:1150]
set xtics (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
set key top left inside
of(c, v) = stringcolumn("suite") eq "buddy" && stringcolumn("case") eq c ? column(v) : NaN
plot data using (column("arg")):(of("pair_mem", "median")):(of("pair_mem", "least")):(of("pair_mem", "greatest")) with yerrorlines lc rgb BLUE lw 2 pt 7 ps 0.7 title "order-0 pair", \
	"" using (column("arg")):(of("random_mem", "median")):(of("random_mem", "least")):(of("random_mem", "greatest")) with yerrorlines lc rgb ORANGE lw 2 pt 5 ps 0.7 title "freed in random order, until all is merged"
