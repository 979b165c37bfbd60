package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
)

// A crowd is how many are where, and how much is said at the fixed rate. Both come to 20,000 deliveries a second.
type crowd struct {
	name       string
	rooms, per int
	rate       float64
}

func crowds() []crowd {
	return []crowd{{"1000x10", 1000, 10, 2000}, {"1x1000", 1, 1000, 20}}
}

func (c crowd) load(more ...string) []string {
	return append([]string{"-rooms", strconv.Itoa(c.rooms), "-subs", strconv.Itoa(c.per)}, more...)
}

// phases are the lengths of the fixed rate and of the peak, with what comes before.
func (c crowd) phases(quick bool) []string {
	rate := strconv.FormatFloat(c.rate, 'f', -1, 64)
	if quick {
		return c.load("-rate", rate, "-warm", "200ms", "-dur", "1s", "-peak", "1s", "-idle", "300ms")
	}
	return c.load("-rate", rate, "-warm", "400ms", "-dur", "3s", "-peak", "2500ms", "-idle", "800ms")
}

func fanoutTable() table {
	return table{name: "fanout", print: printFanout, trials: func(l *lab) (trials []trial) {
		servers := []server{parley("parley", "embedded"), grpcRaw(), parley("parley, memory store", "memory"), gobwas(), natsCore()}
		for _, c := range crowds() {
			for _, s := range servers {
				trials = append(trials, trial{c.name, s.name, func(ctx context.Context, l *lab) (rows, error) {
					return l.drive(ctx, s, c.phases(l.quick)...)
				}})
			}
		}
		return trials
	}}
}

const anchor = "grpc-rawcodec"

func printFanout(w io.Writer, rs rows) {
	for _, c := range crowds() {
		here := rs.where("scenario", c.name)
		for _, phase := range []string{"rate", "peak"} {
			printPhase(w, c, phase, here.where("phase", phase))
		}
	}
}

func printPhase(w io.Writer, c crowd, phase string, rs rows) {
	title := fmt.Sprintf("**%s, %.0f messages/s**", c.name, c.rate)
	head := "server | CPU µs/delivery | x grpc-rawcodec | p50 ms | p99 ms | lost or wrong | foreign cores"
	if phase == "peak" {
		title = fmt.Sprintf("**%s, at peak**", c.name)
		head = "server | CPU µs/delivery | x grpc-rawcodec | deliveries/s, one core | p50 ms | lost or wrong | foreign cores"
	}
	var lines [][]string
	for _, name := range rs.values("server") {
		here := rs.where("server", name)
		line := []string{name, here.span("srv_us_per_delivery"), span(here.against(rs.where("server", anchor), "srv_us_per_delivery", ratio))}
		if phase == "peak" {
			line = append(line, here.span("deliv_per_s"), here.span("p50_ms"))
		} else {
			line = append(line, here.span("p50_ms"), here.span("p99_ms"))
		}
		lines = append(lines, append(line, count(here.bad()), here.foreign()))
	}
	grid(w, title, head, lines)
}
