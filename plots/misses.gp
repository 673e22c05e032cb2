# Miss ratio over the size of memory, a curve for each combination of the other keys.
height = 460
load style
set xlabel "memory" offset 0,0.3
set ylabel "misses of all page references, %" offset 0.8,0
set logscale x 2
set xtics ()
close = x_greatest < 9 * x_least # room for a tick in the middle of each doubling
do for [k = 20:46] {
	b = 2. ** k
	if (b >= x_least / 1.08 && b <= x_greatest * 1.08) { set xtics add (bytes(b) b) }
	if (close && 1.5 * b >= x_least / 1.08 && 1.5 * b <= x_greatest * 1.08) { set xtics add (bytes(1.5 * b) 1.5 * b) }
}
set xrange [x_least / 1.08:x_greatest * 1.08]
set yrange [0:max_miss_ratio > 0 ? max_miss_ratio * 108 : 1]
set key inside top right vertical Left reverse
if (curves == 1) { unset key }
of(i) = column("curve_index") == i ? column("miss_ratio") * 100 : NaN
plot for [i = 0:curves - 1] data using (column("mem_bytes")):(of(i)) with linespoints lc rgb colour(i) lw 2 pt (5 + 2 * (i % 4)) ps 0.8 title curve_[i + 1]
