package main

import (
	"context"
	"io"
)

func idleTable() table {
	return table{name: "idle", print: printIdle, trials: func(l *lab) (trials []trial) {
		wait := pickBy(l.quick, "1s", "5s")
		for _, s := range []server{parley("parley", "embedded"), grpcRaw()} {
			trials = append(trials, trial{"1000x10", s.name, func(ctx context.Context, l *lab) (rows, error) {
				return l.drive(ctx, s, crowd{rooms: 1000, per: 10}.load("-idle", wait)...)
			}})
		}
		return trials
	}}
}

func printIdle(w io.Writer, rs rows) {
	var lines [][]string
	for _, name := range rs.values("server") {
		here := rs.where("server", name)
		lines = append(lines, []string{
			name, here.span("rss_per_conn_kb"), span(here.against(rs.where("server", anchor), "rss_per_conn_kb", above)),
			here.span("connect_s"), here.foreign(),
		})
	}
	grid(w, "**10,000 idle followers, in 1000 rooms x 10**", "server | RSS KiB/follower | above grpc-rawcodec | s until all are in | foreign cores", lines)
}
