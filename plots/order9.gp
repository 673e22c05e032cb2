# Left: how many of the requests were answered; right: pages moved for each. One line a rule.
load style
set multiplot layout 1,2
set lmargin 9
set rmargin 2
set tmargin 5
set bmargin 4
set key at screen 0.985,0.985 right top vertical maxrows 2 Left reverse samplen 2 width 2
set xlabel "one page in so many is free"
set xtics 2
# rows of the study: policy by compaction by five strides
rules = "0 4 2 5"
titles = "'4.0' '4.12' '4.0, no compaction' '4.12, no compaction'"
pick(i, v) = int(column("row") / 5) == int(word(rules, i)) ? v : NaN
set yrange [0:1.19]
set format y "%g"
set ytics 0.25
set label 1 "answered, of all requests" at graph 0,graph 1 offset character 0,0.6 left font ",12"
set datafile missing NaN
plot for [i = 1:4] data using (column("stride")):(pick(i, 1 - column("alloc_pages_errors") / 8.)) with linespoints lw 2 pt 7 ps 0.7 lc rgb colour(i - 1) title word(titles, i)
unset label 998
unset label 999
unset key
set yrange [0:*]
set ytics auto
set label 1 "pages moved a block" at graph 0,graph 1 offset character 0,0.6 left font ",12"
got(i) = pick(i, column("compact_success") > 0 ? column("pgmigrate_success") / column("compact_success") : NaN)
plot for [i = 1:2] data using (column("stride")):(got(i)) with linespoints lw 2 pt 7 ps 0.7 lc rgb colour(i - 1) notitle
unset multiplot
