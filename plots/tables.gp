# Two panels, a pair of bars a geometry: time of a walk, bytes of tables a mapped page (logarithmic).
n = rows / 2
height = 108 + 34 * n
load style
set multiplot
set border 1
set yrange [n - 0.4:-0.6]
set grid xtics noytics
unset key
set ytics scale 0
set tmargin screen 1 - 78. / height; set bmargin screen 46. / height
dense(i) = column("sparse") > 0 ? NaN : column(i)
sparse(i) = column("sparse") > 0 ? column(i) : NaN
do for [panel = 1:2] {
	what = panel == 1 ? "walk_ns" : "bytes_a_page"
	set lmargin screen panel == 1 ? 0.14 : 0.59; set rmargin screen panel == 1 ? 0.53 : 0.97
	if (panel == 2) { set format y ""; unset label 998; unset label 999; set logscale x 10; base = 1.; top = max_bytes_a_page * 30; set format x "%.0s %cB" }
	if (panel == 1) { base = 0.; top = max_walk_ns * 1.25 }
	set label 1 (panel == 1 ? "a random walk, ns" : "tables, bytes a page") at graph 0,1.06 left font ",12"
	set xrange [base:top]
	text(x) = panel == 1 ? sprintf("%.1f", x) : bytes(x)
	if (panel == 1) {
		plot data using (dense(what)):(column("row")):(base):(dense(what)):(column("row") - 0.38):(column("row") - 0.02):ytic(stringcolumn("geometry")) with boxxyerror lc rgb BLUE, \
			"" using (sparse(what)):(column("row")):(base):(sparse(what)):(column("row") + 0.02):(column("row") + 0.38) with boxxyerror lc rgb SKY, \
			"" using (column(what)):(column("row") + (column("sparse") > 0 ? 0.2 : -0.2)):(text(column(what))) with labels left offset character 0.5,0 font ",10"
	} else {
		plot data using (dense(what)):(column("row")):(base):(dense(what)):(column("row") - 0.38):(column("row") - 0.02) with boxxyerror lc rgb BLUE, \
			"" using (sparse(what)):(column("row")):(base):(sparse(what)):(column("row") + 0.02):(column("row") + 0.38) with boxxyerror lc rgb SKY, \
			"" using (column(what)):(column("row") + (column("sparse") > 0 ? 0.2 : -0.2)):(text(column(what))) with labels left offset character 0.5,0 font ",10"
	}
}
unset multiplot
