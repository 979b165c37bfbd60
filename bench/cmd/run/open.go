package main

import (
	"context"
	"io"
	"path/filepath"
)

func openTable() table {
	return table{name: "open", print: printOpen, trials: func(*lab) []trial {
		return []trial{{"10,000 entries", "hub", func(ctx context.Context, l *lab) (rows, error) {
			return l.generate(ctx, "", "hubbench", "-layer", "open", "-entries", "10000", "-dir", filepath.Join(l.scratch(), "hub"))
		}}}
	}}
}

func printOpen(w io.Writer, rs rows) {
	grid(w, "**A room of 10,000 entries, opened cold**", "ms to its newest 50 messages | CPU ms",
		[][]string{{rs.span("open_ms"), rs.span("cpu_ms")}})
}
