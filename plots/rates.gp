# Horizontal bars with spread, goals and rivals on a logarithmic axis.
height = 118 + 21 * rows
load style
set tmargin screen 1 - 52. / height
set bmargin screen 66. / height
low = min_least
if (min_goal > 0 && min_goal < low) low = min_goal
if (min_rival > 0 && min_rival < low) low = min_rival
low = 10 ** floor(log10(low * 0.7))
high = max_greatest
if (max_goal > high) high = max_goal
if (max_rival > high) high = max_rival
high = high * 1.3
set logscale x
set xrange [low:high]
set yrange [rows - 0.3:-0.7]
set xlabel "million a second (logarithmic)"
set format x "%g"
set grid xtics noytics
set border 1
set ytics scale 0
set rmargin 9
set lmargin screen 0.33
# Goals and rivals only where there are any: gnuplot warns of empty series.
goals = max_goal > 0 ? ', "" using (column("goal")):(column("row")) with points pt 13 ps 1.15 lc rgb "black" notitle, "" using (column("goal")):(column("row")) with points pt 13 ps 0.9 lc rgb RED title "goal"' : ''
rivals = max_rival > 0 ? ', "" using (column("rival")):(column("row")) with points pt 9 ps 1.15 lc rgb "black" notitle, "" using (column("rival")):(column("row")) with points pt 9 ps 0.8 lc rgb "#b0b0b0" title "rival"' : ''
eval 'plot data using (column("median")):(column("row")):(low):(column("median")):(column("row") - 0.36):(column("row") + 0.36):(colour(column("suite_index"))):ytic(stringcolumn("label")) with boxxyerror lc rgb variable notitle, "" using (column("median")):(column("row")):(column("least")):(column("greatest")) with xerrorbars lc rgb "black" pt 0 lw 1.2 title "spread", "" using (high):(column("row")):(sprintf("%.3g", column("median"))) with labels left offset character 0.7,0 font ",12" notitle' . goals . rivals
