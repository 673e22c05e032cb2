# One bar a trace and machine.
height = 104 + 20 * rows
load style
set tmargin screen 1 - 40. / height
set bmargin screen 64. / height
set border 1
set yrange [rows - 0.4:-0.6]
set xrange [0:greatest / 1e6 * 1.05]
set grid xtics noytics
set ytics scale 0
set lmargin screen 0.29
set rmargin 9
unset key
set xlabel "million events a second"
m(i) = column("events_per_second") / 1e6
plot data using (m(0)):(column("row")):(0):(m(0)):(column("row") - 0.36):(column("row") + 0.36):(colour(column("machine_index"))):ytic(stringcolumn("label")) with boxxyerror lc rgb variable, \
	"" using (m(0)):(column("row")):(sprintf("%.1f", m(0))) with labels left offset character 0.5,0 font ",11"
