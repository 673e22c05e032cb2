# One line with its spread over the orders.
load style
set xlabel "order of the block (2^order pages)"
set ylabel "ns for a pair" offset 0.8,0
set yrange [0:*]
set xrange [-0.4:10.4]
set xtics 1
unset key
of(v) = stringcolumn("suite") eq "buddy" && stringcolumn("case") eq "pair" ? column(v) : NaN
plot data using (column("arg")):(of("median")):(of("least")):(of("greatest")) with yerrorlines lc rgb BLUE lw 2 pt 7 ps 0.7, \
	"" using (column("arg")):(of("median")):(sprintf("%.3g", of("median"))) with labels offset 0,1 font ",11"
