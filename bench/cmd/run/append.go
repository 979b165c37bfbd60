package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
)

// The two kinds of load on a log.
const (
	closedLoop = "closed loop"
	openLoop   = "10,000/s"
)

// appendTable is about durable appends in one process. Nothing is pinned: the limit and what is compared with it both
// have the machine to themselves.
func appendTable() table {
	return table{name: "append", print: printAppend, trials: func(l *lab) (trials []trial) {
		for _, writers := range []int{64, 256} {
			scenario := fmt.Sprintf("%s, %d writers", closedLoop, writers)
			n := strconv.Itoa(writers)
			trials = append(trials, walTrial(scenario, "-producers", n),
				hubTrial(scenario, "hub, 16 rooms", "-layer", "hub", "-writers", n, "-rooms", "16"),
				hubTrial(scenario, "hub, 256 rooms", "-layer", "hub", "-writers", n, "-rooms", "256"),
				hubTrial(scenario, "bare Pebble", "-layer", "pebble", "-writers", n), jetStreamTrial(scenario, n))
		}
		trials = append(trials, walTrial(openLoop, "-rate", "10000"))
		for _, rooms := range []string{"1", "16", "256", "1000"} {
			trials = append(trials, hubTrial(openLoop, "hub, rooms: "+rooms, "-layer", "hub", "-writers", "256", "-rooms", rooms, "-rate", "10000"))
		}
		return trials
	}}
}

func walTrial(scenario string, args ...string) trial {
	return trial{scenario, limit, func(ctx context.Context, l *lab) (rows, error) {
		return l.generate(ctx, "", "walbench", append(args, "-dir", filepath.Join(l.scratch(), "wal"), "-dur", pickBy(l.quick, "500ms", "2s"))...)
	}}
}

func hubTrial(scenario, name string, args ...string) trial {
	return trial{scenario, name, func(ctx context.Context, l *lab) (rows, error) {
		return l.generate(ctx, "", "hubbench", append(args, "-dir", filepath.Join(l.scratch(), "hub"), "-dur", pickBy(l.quick, "500ms", "2s"))...)
	}}
}

func jetStreamTrial(scenario, producers string) trial {
	return trial{scenario, "JetStream, sync always", func(ctx context.Context, l *lab) (rows, error) {
		p, addr, err := l.jetStream()
		if p != nil {
			defer p.stop()
		}
		if err != nil {
			return nil, err
		}
		return l.generate(ctx, "", "jsbench", "-url", "nats://"+addr, "-producers", producers, "-dur", pickBy(l.quick, "500ms", "2s"))
	}}
}

const limit = "walbench"

func printAppend(w io.Writer, rs rows) {
	var closed, open [][]string
	for _, scenario := range rs.values("scenario") {
		here := rs.where("scenario", scenario)
		ref := here.where("server", limit)
		for _, name := range here.values("server") {
			if r := here.where("server", name); scenario == openLoop {
				open = append(open, []string{
					name, r.span("events_per_s"), r.span("p50_ms"), r.span("p99_ms"), span(r.against(ref, "p99_ms", above)),
					r.span("syncs_per_s"), r.span("mean_batch"), r.foreign(),
				})
			} else {
				closed = append(closed, []string{
					scenario, name, r.span("events_per_s"), span(r.against(ref, "events_per_s", ratio)),
					r.span("p50_ms"), r.span("p99_ms"), r.spanIf("syncs_per_s"), r.spanIf("mean_batch"), r.spanIf("cpu_us_per_event"), r.foreign(),
				})
			}
		}
	}
	grid(w, "**Durable appends, as fast as they go**", "load | log | events/s | x walbench | p50 ms | p99 ms | syncs/s | events/sync | CPU µs/event | foreign cores", closed)
	grid(w, "**Durable appends, 10,000/s**", "log | events/s | p50 ms | p99 ms | p99 above walbench, ms | syncs/s | events/sync | foreign cores", open)
}
