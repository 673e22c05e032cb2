# One look for all pictures: terminal, fonts, grid, a palette that colour-blind readers can tell apart
# (Okabe and Ito). A plot sets `width` and `height` before it loads this file.
# Black lines and text take the page's text colour in the report, so that light and dark both work.
if (!exists("width")) width = 900
if (!exists("height")) height = 420
set terminal svg size width,height dynamic noenhanced rounded font "system-ui,'Segoe UI','Liberation Sans','DejaVu Sans',sans-serif,13"
set output out
set encoding utf8
set datafile separator tab
set datafile columnheaders
set datafile missing "NaN"

array palette_[8] = [0x0072B2, 0xE69F00, 0x009E73, 0xCC79A7, 0x56B4E9, 0xD55E00, 0x8C7A00, 0x7F7F7F]
colour(i) = palette_[1 + (int(i) % 8)]
BLUE = "#0072B2"; ORANGE = "#E69F00"; GREEN = "#009E73"; PINK = "#CC79A7"; SKY = "#56B4E9"; RED = "#D55E00"
GREY = "#7F7F7F"

set border 3 lw 1
set tics nomirror out scale 0.6
set grid lc rgb "#9aa0a6" lw 0.5 dt 1
set style fill solid 0.85 noborder
set key outside top right horizontal Left reverse samplen 1.2 spacing 1.1 font ",12"
set label 998 head at screen 0.012,(1 - 17. / height) left font ",15"
set tmargin 3.6
set label 999 hash at screen 0.995,(7. / height) right font ",9" tc rgb GREY

# Units of thousand, for the many: 1.2 k, 3.4 M.
human(v) = v < 1e3 ? sprintf("%.3g", v) : v < 1e6 ? sprintf("%.3g k", v/1e3) : \
	v < 1e9 ? sprintf("%.3g M", v/1e6) : sprintf("%.3g G", v/1e9)
# Bytes.
bytes(v) = v < 1024 ? sprintf("%.3g B", v) : v < 1048576 ? sprintf("%.3g KiB", v/1024.) : \
	v < 1073741824 ? sprintf("%.3g MiB", v/1048576.) : sprintf("%.3g GiB", v/1073741824.)
# A scale of time for nanoseconds: divisor and name.
time_div(ns) = ns < 2e3 ? 1. : ns < 2e6 ? 1e3 : ns < 2e9 ? 1e6 : 1e9
time_unit(ns) = ns < 2e3 ? "ns" : ns < 2e6 ? "us" : ns < 2e9 ? "ms" : "s"
