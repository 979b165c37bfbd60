package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"parley/bench/internal/meter"
)

// countsTable is about what does not depend on how busy the machine is: allocations, and instructions where they can
// be counted. It is measured apart, since counting costs time.
func countsTable() table {
	return table{name: "counts", once: true, print: printCounts, trials: func(l *lab) (trials []trial) {
		for _, c := range crowds() {
			for _, s := range []server{metered("parley", "embedded"), grpcRaw(), metered("parley, memory store", "memory")} {
				trials = append(trials, trial{c.name, s.name, func(ctx context.Context, l *lab) (rows, error) {
					return l.count(ctx, s, c)
				}})
			}
		}
		return trials
	}}
}

// count drives a server that writes down its allocations before and after each phase.
func (l *lab) count(ctx context.Context, s server, c crowd) (rows, error) {
	load := append(c.phases(l.quick), "-meter")
	if l.counters {
		load = append(load, "-perf")
	}
	got, err := l.drive(ctx, s, load...)
	if err != nil {
		return got, err
	}
	readings, err := readings(l.log(s.argv("")[0]))
	if err != nil {
		return got, err
	}
	if len(readings) != 2*len(got) {
		return got, fmt.Errorf("%d readings of the meter for %d phases", len(readings), len(got))
	}
	for i, r := range got {
		before, after := readings[2*i], readings[2*i+1]
		r["mallocs_per_delivery"] = float64(after.Mallocs-before.Mallocs) / r.num("deliveries")
		r["alloc_bytes_per_delivery"] = float64(after.Bytes-before.Bytes) / r.num("deliveries")
	}
	return got, nil
}

func readings(log string) (all []meter.Reading, err error) {
	f, err := os.Open(log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if line, ok := strings.CutPrefix(lines.Text(), meter.Prefix); ok {
			var r meter.Reading
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				return nil, err
			}
			all = append(all, r)
		}
	}
	return all, nil
}

func printCounts(w io.Writer, rs rows) {
	var lines [][]string
	for _, r := range rs {
		instructions := "not counted here"
		if n := r.num("instr_u_per_delivery") + r.num("instr_k_per_delivery"); n > 0 {
			instructions = fmt.Sprintf("%s + %s", figure(r.num("instr_u_per_delivery")), figure(r.num("instr_k_per_delivery")))
		}
		lines = append(lines, []string{
			r.text("scenario"), r.text("phase"), r.text("server"), figure(r.num("mallocs_per_delivery")),
			figure(r.num("alloc_bytes_per_delivery")), instructions,
		})
	}
	grid(w, "**What a delivery takes**", "scenario | phase | server | allocations | bytes allocated | instructions, user + kernel", lines)
}
