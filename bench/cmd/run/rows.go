package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// A row is one phase of one trial, as the programs print it.
type row map[string]any

func (r row) num(key string) float64 {
	x, _ := r[key].(float64)
	return x
}

func (r row) text(key string) string {
	s, _ := r[key].(string)
	return s
}

// brief is a row in one line, for those who watch.
func (r row) brief() string {
	b := fmt.Sprintf("%s %s %s %s #%.0f", r.text("table"), r.text("scenario"), r.text("server"), r.text("phase"), r.num("rep"))
	for _, k := range []string{"deliv_per_s", "srv_us_per_delivery", "events_per_s", "syncs_per_s", "open_ms", "p50_ms", "p99_ms", "first_p50_ms", "rss_per_conn_kb", "foreign_cores"} {
		if _, ok := r[k]; ok {
			b += fmt.Sprintf("  %s %s", strings.TrimSuffix(k, "_ms"), figure(r.num(k)))
		}
	}
	return b
}

func (r row) bad() float64 { return r.num("lost") + r.num("order_errors") + r.num("dead_conns") }

type rows []row

func (rs rows) where(key, value string) (kept rows) {
	for _, r := range rs {
		if r.text(key) == value {
			kept = append(kept, r)
		}
	}
	return kept
}

func (rs rows) of(table string) rows { return rs.where("table", table) }

// values are the different values of key, in the order they came.
func (rs rows) values(key string) (vs []string) {
	for _, r := range rs {
		if !slices.Contains(vs, r.text(key)) {
			vs = append(vs, r.text(key))
		}
	}
	return vs
}

func (rs rows) nums(key string) (xs []float64) {
	for _, r := range rs {
		xs = append(xs, r.num(key))
	}
	return xs
}

// noise is how many cores other programs used in the worst phase. What takes no time cannot be disturbed.
func (rs rows) noise() float64 {
	if len(rs) == 0 {
		return 0
	}
	return slices.Max(rs.nums("foreign_cores"))
}

func (rs rows) bad() (n float64) {
	for _, r := range rs {
		n += r.bad()
	}
	return n
}

// against pairs each row with the reference of the same repetition.
func (rs rows) against(reference rows, key string, pair func(x, ref float64) float64) (xs []float64) {
	for _, r := range rs {
		for _, ref := range reference {
			if r.num("rep") == ref.num("rep") {
				xs = append(xs, pair(r.num(key), ref.num(key)))
			}
		}
	}
	return xs
}

func ratio(x, ref float64) float64 { return x / ref }
func above(x, ref float64) float64 { return x - ref }

// median of nothing is zero.
func median(xs []float64) float64 {
	if len(xs) == 0 {
		return 0
	}
	xs = slices.Clone(xs)
	slices.Sort(xs)
	if n := len(xs); n%2 == 0 {
		return (xs[n/2-1] + xs[n/2]) / 2
	}
	return xs[len(xs)/2]
}

// span shows a median and the range it comes from.
func span(xs []float64) string {
	switch len(xs) {
	case 0:
		return "-"
	case 1:
		return figure(xs[0])
	}
	return fmt.Sprintf("%s [%s–%s]", figure(median(xs)), figure(slices.Min(xs)), figure(slices.Max(xs)))
}

func (rs rows) span(key string) string { return span(rs.nums(key)) }

// figure shows three significant digits or so.
func figure(x float64) string {
	switch size := max(x, -x); {
	case size >= 1000:
		return thousands(x)
	case size >= 100:
		return fmt.Sprintf("%.0f", x)
	case size >= 10:
		return fmt.Sprintf("%.1f", x)
	case size >= 1 || size == 0:
		return fmt.Sprintf("%.2f", x)
	}
	return fmt.Sprintf("%.3f", x)
}

func count(x float64) string { return fmt.Sprintf("%.0f", x) }

func thousands(x float64) string {
	s := fmt.Sprintf("%.0f", x)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// grid writes a Markdown table.
func grid(w io.Writer, title, head string, lines [][]string) {
	columns := strings.Split(head, " | ")
	fmt.Fprintf(w, "\n%s\n\n| %s |\n|%s\n", title, head, strings.Repeat("---|", len(columns)))
	for _, cells := range lines {
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
	}
}

// foreign shows what other programs used, and marks what was noisy.
func (rs rows) foreign() string {
	if len(rs) == 0 || rs[0]["foreign_cores"] == nil {
		return "-"
	}
	mark := ""
	if median(rs.nums("foreign_cores")) > quietCores {
		mark = " noisy"
	}
	return rs.span("foreign_cores") + mark
}

// quieter keeps the quieter one of what was tried twice.
func (rs rows) quieter() (kept rows) {
	for _, r := range rs {
		same := func(o row) bool {
			return r.text("scenario") == o.text("scenario") && r.text("server") == o.text("server") &&
				r.text("phase") == o.text("phase") && r.num("rep") == o.num("rep")
		}
		if i := slices.IndexFunc(kept, same); i < 0 {
			kept = append(kept, r)
		} else if r.num("foreign_cores") < kept[i].num("foreign_cores") {
			kept[i] = r
		}
	}
	return kept
}

// spanIf is for what not every program measures.
func (rs rows) spanIf(key string) string {
	if len(rs) == 0 || rs[0][key] == nil {
		return "-"
	}
	return rs.span(key)
}
