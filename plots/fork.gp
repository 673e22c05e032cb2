# Cost of one page of a fork, and of one mapping of a reverse-mapping walk, over how many there are.
load style
set xlabel "resident pages, or mappers (logarithmic)"
set ylabel "ns each" offset 0.8,0
set logscale x
set yrange [0:*]
set format x "%g"
of(c, v) = stringcolumn("suite") eq "fault" && stringcolumn("case") eq c ? column(v) : NaN
plot data using (column("arg")):(of("fork", "median")):(of("fork", "least")):(of("fork", "greatest")) with yerrorlines lc rgb BLUE lw 2 pt 7 ps 0.7 title "fork, a page", \
	"" using (column("arg")):(of("rmap", "median")):(of("rmap", "least")):(of("rmap", "greatest")) with yerrorlines lc rgb ORANGE lw 2 pt 7 ps 0.7 title "walk, a mapping", \
	"" using (column("arg")):(of("fork", "goal")) with lines dt 2 lc rgb RED lw 1.5 title "goal of fork"
