package main

import (
	"context"
	"io"
)

func slowTable() table {
	const without, with = "all read", "one never reads"
	return table{name: "slow", print: printSlow, trials: func(l *lab) (trials []trial) {
		load := crowd{rooms: 1, per: 100}.load("-rate", "200", "-warm", pickBy(l.quick, "1s", "2s"), "-dur", pickBy(l.quick, "1s", "4s"))
		for _, t := range []struct{ name, stall string }{{without, "0"}, {with, "1"}} {
			trials = append(trials, trial{"1x100", t.name, func(ctx context.Context, l *lab) (rows, error) {
				return l.drive(ctx, parley("parley", "embedded"), append(load, "-stall", t.stall)...)
			}})
		}
		return trials
	}}
}

func printSlow(w io.Writer, rs rows) {
	var lines [][]string
	names := rs.values("server")
	for _, name := range names {
		here, first := rs.where("server", name), rs.where("server", names[0])
		lines = append(lines, []string{
			name, here.span("p50_ms"), span(here.against(first, "p50_ms", ratio)), here.span("p99_ms"),
			span(here.against(first, "p99_ms", ratio)), here.span("srv_us_per_delivery"), count(here.bad()), here.foreign(),
		})
	}
	grid(w, "**1 room x 100 at 200 messages/s, and one more follower that never reads**",
		"followers | p50 ms | x without | p99 ms | x without | CPU µs/delivery | lost or wrong | foreign cores", lines)
}
