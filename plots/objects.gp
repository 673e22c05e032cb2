# One line an allocator over a logarithmic axis of sizes.
height = 460
load style
set xlabel "bytes of the object (logarithmic)"
set ylabel "ns for a pair (logarithmic)" offset 0.8,0
set logscale xy
set logscale x 2
set xrange [7:4700]
set xtics (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
set ytics (1, 2, 3, 5, 7, 10, 20, 30, 50, 70, 100)
of(c, v) = stringcolumn("suite") eq "slab" && stringcolumn("case") eq "pair/".c ? column(v) : NaN
who = "slab slub kmalloc glibc jemalloc mimalloc tcmalloc"
plot for [i=1:words(who)] data using (column("arg")):(of(word(who, i), "median")):(of(word(who, i), "least")):(of(word(who, i), "greatest")) with yerrorlines lc rgb colour(i - 1) lw (i <= 3 ? 2.5 : 1.2) pt (i <= 3 ? 7 : 6) ps 0.6 title (i <= 3 ? "memrig " : "").word(who, i)
