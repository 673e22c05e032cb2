# One panel a metric, one bar a variant. The first series is the row.
n = words(series) - 1
height = 96 + 26 * rows * ((n + 3) / 4) + 30 * ((n + 3) / 4 - 1)
load style
set multiplot
set border 1
set yrange [rows - 0.4:-0.6]
set grid xtics noytics
unset key
set ytics scale 0
per = n < 4 ? n : 4
do for [i = 1:n] {
	name = word(series, i + 1)
	line = (i - 1) / 4
	place = (i - 1) % 4
	band = 26. * rows + 30
	set tmargin screen 1 - (64. + line * band) / height
	set bmargin screen 1 - (64. + line * band + 26. * rows) / height
	set lmargin screen 0.17 + place * 0.83 / per
	set rmargin screen 0.17 + (place + 0.78) * 0.83 / per
	if (i > 1) { unset label 998; unset label 999 }
	if (place) { set format y "" } else { set format y }
	set label 1 name at graph 0,graph 1 offset character 0,0.8 left font ",12"
	top = value("max_" . name)
	set xrange [0:(top > 0 ? top : 1) * 1.3]
	unset xtics
	unset grid
	set border 2
	if (place == 0) {
		plot data using (column(name)):(column("row")):(0):(column(name)):(column("row") - 0.33):(column("row") + 0.33):(colour(column("row"))):ytic(stringcolumn(xcol)) with boxxyerror lc rgb variable, \
			"" using (column(name)):(column("row")):(human(column(name))) with labels left offset character 0.5,0 font ",11"
	} else {
		plot data using (column(name)):(column("row")):(0):(column(name)):(column("row") - 0.33):(column("row") + 0.33):(colour(column("row"))) with boxxyerror lc rgb variable, \
			"" using (column(name)):(column("row")):(human(column(name))) with labels left offset character 0.5,0 font ",11"
	}
}
unset multiplot
