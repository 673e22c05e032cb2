# One bar a kind of fault, with its spread, goal and rival; logarithmic, since rivals are far away.
load style
set logscale y
set yrange [1:*]
set ylabel "ns (logarithmic)" offset 0.8,0
set xrange [-0.6:3.6]
set xtics ("first read: zero page" 0, "first write: new page" 1, "write after fork: copy" 2, "other user gone: reuse" 3)
set boxwidth 0.5
unset key
kind(c) = c eq "anon-read" ? 0 : c eq "anon-write" ? 1 : c eq "cow-copy" ? 2 : c eq "cow-reuse" ? 3 : NaN
at(v) = stringcolumn("suite") eq "fault" ? kind(stringcolumn("case")) : NaN
plot data using (at(0)):(column("median")) with boxes lc rgb BLUE, \
	"" using (at(0)):(column("median")):(column("least")):(column("greatest")) with yerrorbars lc rgb "black" pt 0, \
	"" using (at(0)):(column("median")):(sprintf("%.3g", column("median"))) with labels offset 3.2,0.6 font ",12", \
	"" using (at(0)):(column("goal")) with points pt 13 ps 1.3 lc rgb RED, \
	"" using (at(0)):(column("rival")) with points pt 9 ps 1.2 lc rgb GREY
