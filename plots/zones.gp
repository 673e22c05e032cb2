# A panel a zone over virtual time: free pages, the watermarks, and marks where kswapd ran and tasks reclaimed.
array names[5] = ["dma", "dma32", "normal", "high", "movable"]
array texts[5] = ["DMA", "DMA32", "NORMAL", "HIGHMEM", "MOVABLE"]
marks(i) = value("max_zone_" . names[i] . "_high")
n = 0
do for [i = 1:5] { if (marks(i) > 0) { n = n + 1 } }
height = 110 + 230 * n
load style
div = time_div(x_greatest - x_least)
t(x) = (x - x_least) / div
mib(pages) = pages * max_page_bytes / 1048576.
set multiplot
set lmargin screen 0.1
set rmargin screen 0.985
set xrange [0:t(x_greatest) > 0 ? t(x_greatest) : 1]
set format x ""
k = 0
do for [i = 1:5] {
	if (marks(i) == 0) { continue }
	set tmargin screen 1 - (64. + 230 * k) / height
	set bmargin screen 1 - (64. + 230 * k + 192) / height
	high = mib(marks(i))
	least_free = mib(value("min_zone_" . names[i] . "_free"))
	most = 3.6 * high > 1.25 * least_free ? 3.6 * high : 1.25 * least_free # above, nothing happens
	set yrange [-0.24 * most:most]
	set ytics 0,10. ** floor(log10(most)) / 2
	if (most / (10. ** floor(log10(most)) / 2) > 8) { set ytics 0,10. ** floor(log10(most)) * 2 }
	set ylabel texts[i] . ": free, MiB" offset 0.8,0
	if (k) { unset key; unset label 998; unset label 999 } else { set key at graph 1,graph 1 right bottom horizontal Left reverse maxrows 1 }
	k = k + 1
	if (k == n) {
		set format x "%g"
		set xlabel "virtual time, ".time_unit(x_greatest - x_least) offset 0,0.4
	}
	z = "zone_" . names[i]
	before_k = NaN; before_a = NaN
	turn(now, before) = now > before
	plot data using (t(column("virtual_ns"))):(mib(column(z . "_free"))) with steps lc rgb BLUE lw 1.4 title "free", \
		"" using (t(column("virtual_ns"))):(mib(column(z . "_high"))) with lines lc rgb GREEN lw 1.6 title "high", \
		"" using (t(column("virtual_ns"))):(mib(column(z . "_low"))) with lines lc rgb ORANGE lw 1.6 title "low", \
		"" using (t(column("virtual_ns"))):(mib(column(z . "_min"))) with lines lc rgb RED lw 1.6 title "min", \
		"" using (t(column("virtual_ns"))):(turned = column("pageoutrun") > before_k, before_k = column("pageoutrun"), turned ? -0.06 * most : NaN):(0):(0.06 * most) with vectors nohead lc rgb SKY lw 1.2 title "kswapd ran", \
		"" using (t(column("virtual_ns"))):(turned = column("allocstall") > before_a, before_a = column("allocstall"), turned ? -0.2 * most : NaN):(0):(0.1 * most) with vectors nohead lc rgb PINK lw 1.6 title "a task reclaimed"
}
unset multiplot
