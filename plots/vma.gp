# Look-up and insertion over the number of VMAs, both indexes, both axes logarithmic; goals as diamonds.
width = 900; height = 460
load style
set logscale xy 10
set xrange [70:1.5e6]
set yrange [1:3000]
set format x "%.0s%c"
set format y "%.0f"
set xlabel "VMAs"
set ylabel "nanoseconds"
set rmargin 3
set key inside left top vertical Left reverse
is(name) = stringcolumn("suite") eq "vma" && stringcolumn("case") eq name
line(name) = is(name) ? column("median") : NaN
aim(name) = is(name) && column("goal") > 0 ? column("goal") : NaN
plot data using (column("arg")):(line("find/rbtree")) with linespoints lc rgb BLUE pt 7 ps 0.8 lw 2 title "find, rbtree", \
	"" using (column("arg")):(line("find/btree")) with linespoints lc rgb ORANGE pt 7 ps 0.8 lw 2 title "find, btree", \
	"" using (column("arg")):(line("insert/rbtree")) with linespoints lc rgb BLUE dt 2 pt 6 ps 0.8 lw 2 title "insert, rbtree", \
	"" using (column("arg")):(line("insert/btree")) with linespoints lc rgb ORANGE dt 2 pt 6 ps 0.8 lw 2 title "insert, btree", \
	"" using (column("arg")):(aim("find/btree")) with points lc rgb GREEN pt 13 ps 1.4 title "goal", \
	"" using (column("arg")):(aim("insert/btree")) with points lc rgb GREEN pt 13 ps 1.4 notitle
