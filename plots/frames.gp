# The zone as a map, a pixel a frame, each snapshot beside the others.
n = curves
side = 860. / n
height = 150 + (max_y + 1) * side * 0.92 / (x_greatest + 1)
load style
set multiplot
unset key
unset colorbox
unset xtics; unset ytics; unset border; unset grid
array uses[7] = ["no memory", "free", "on a CPU's list", "anonymous", "file", "kernel", "reserved at boot"]
array paint[7] = ["#E4E7EA", "#BFE3D5", "#56B4E9", "#E69F00", "#CC79A7", "#D55E00", "#7F7F7F"]
set palette defined (0 paint[1], 1 paint[2], 2 paint[3], 3 paint[4], 4 paint[5], 5 paint[6], 6 paint[7]) maxcolors 7
set cbrange [-0.5:6.5]
do for [i = 1:7] {
	set label 20 + i uses[i] at screen 0.03 + 0.135 * (i - 1),screen 30. / height left offset character 1.2,-0.3 font ",12" point pt 5 ps 1.2 lc rgb paint[i]
}
set tmargin screen 1 - 72. / height; set bmargin screen 60. / height
set xrange [-0.5:x_greatest + 0.5]
set yrange [max_y + 0.5:-0.5]
do for [i = 0:n - 1] {
	set lmargin screen 0.02 + i * 0.97 / n
	set rmargin screen 0.02 + (i + 0.94) * 0.97 / n
	if (i > 0) { unset label 998; unset label 999; do for [k = 1:7] { unset label 20 + k } }
	set label 1 curve_[i + 1] at graph 0,graph 1 offset character 0,0.7 left font ",12"
	plot data using (column("x")):(column("y")):(column("curve_index") == i ? column("use") : NaN) with image
}
unset multiplot
