//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// row is one line of the table.
type row struct {
	name, unit string
	kind       kind
	bound      float64
	worst      bool // the largest of all runs counts, not the median

	naive, bridge []float64 // one value for each run
}

// kind says what the bound of a row is for.
type kind string

const (
	unbound      kind = ""
	atMost       kind = "≤ %g"  // the bridge's own value
	ratioAtMost  kind = "≤ %g×" // the bridge's value divided by the naive program's
	ratioAtLeast kind = "≥ %g×"
)

// value is what counts of all runs; 0 when there were none.
func (r row) value(runs []float64) float64 {
	sorted := slices.Sorted(slices.Values(runs))
	switch n := len(sorted); {
	case n == 0:
		return 0
	case r.worst:
		return sorted[n-1]
	default:
		return (sorted[(n-1)/2] + sorted[n/2]) / 2
	}
}

// cells are the row as it is printed.
func (r row) cells() (naive, bridge, ratio, wanted, ok string) {
	if len(r.naive) > 0 {
		naive = fmt.Sprintf("%.4g %s", r.value(r.naive), r.unit)
	}
	if r.kind != unbound {
		wanted = fmt.Sprintf(string(r.kind), r.bound)
	}
	if len(r.bridge) == 0 {
		return naive, "not measured", "", wanted, "no"
	}
	got := r.value(r.bridge)
	bridge = fmt.Sprintf("%.4g %s", got, r.unit)
	against := r.value(r.naive)
	if against > 0 {
		ratio = fmt.Sprintf("%.2f×", got/against)
	}
	good := true
	switch r.kind {
	case atMost:
		good = got <= r.bound
	case ratioAtMost:
		good = got <= r.bound*against
	case ratioAtLeast:
		good = against > 0 && got >= r.bound*against
	case unbound:
		return naive, bridge, ratio, "", ""
	}
	if good {
		return naive, bridge, ratio, wanted, "yes"
	}
	return naive, bridge, ratio, wanted, "no"
}

// table prints rows.
func table(out io.Writer, rows []row) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "figure\tnaive\tbridge\tratio\twanted\tok")
	for _, r := range rows {
		naive, bridge, ratio, wanted, ok := r.cells()
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.name, naive, bridge, ratio, wanted, ok)
	}
	return w.Flush()
}
