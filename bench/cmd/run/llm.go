package main

import (
	"context"
	"io"
	"strconv"
	"time"
)

// A talk is how often models are asked, and how long they answer, a chunk each 20 ms.
type talk struct {
	name        string
	rooms       int
	chunks      int
	rate        float64 // mentions/s over all rooms
	full, short time.Duration
}

func talks() []talk {
	return []talk{
		{"one", 1, 50, 0.8, 6 * time.Second, 2500 * time.Millisecond},
		{"fifty", 50, 50, 45, 5 * time.Second, 2 * time.Second},
		{"first", 50, 3, 40, 5 * time.Second, 2 * time.Second},
	}
}

func llmTable() table {
	return table{name: "llm", print: printLLM, trials: func(l *lab) (trials []trial) {
		for _, t := range talks() {
			for _, name := range []string{"direct", "parley", "gobwas-inline"} {
				trials = append(trials, trial{t.name, name, func(ctx context.Context, l *lab) (rows, error) {
					return l.talk(ctx, t, name)
				}})
			}
		}
		return trials
	}}
}

// talk starts the upstream beside the generator, and the relay between the two. direct has no relay and one listener.
func (l *lab) talk(ctx context.Context, t talk, name string) (rows, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	up, err := l.start(l.genCPU, nil, "fakellm", "-addr", addr, "-chunks", strconv.Itoa(t.chunks))
	if err != nil {
		return nil, err
	}
	defer up.stop()
	if err := up.await(addr); err != nil {
		return nil, err
	}
	load := []string{
		"-scenario", "llm", "-helper", up.pid(), "-rooms", strconv.Itoa(t.rooms), "-chunks", strconv.Itoa(t.chunks),
		"-rate", strconv.FormatFloat(t.rate, 'f', -1, 64), "-dur", pickBy(l.quick, t.short, t.full).String(), "-warm", "1200ms",
	}
	base := "http://" + addr + "/v1"
	switch name {
	case "parley":
		return l.drive(ctx, parley(name, "embedded", "LLM_PROVIDER=openai", "LLM_API_KEY=none", "LLM_BASE_URL="+base), append(load, "-subs", "10")...)
	case "gobwas-inline":
		return l.drive(ctx, gobwas("-upstream", base+"/chat/completions"), append(load, "-subs", "10")...)
	}
	return l.generate(ctx, l.genCPU, "loadgen", append(load, "-label", name, "-target", "sse-direct", "-addr", addr, "-subs", "1", "-quiet-max", "2s")...)
}

func printLLM(w io.Writer, rs rows) {
	var lines [][]string
	for _, scenario := range rs.values("scenario") {
		here := rs.where("scenario", scenario)
		direct := here.where("server", "direct")
		for _, name := range here.values("server") {
			r := here.where("server", name)
			line := []string{scenario, name, r.span("deliv_per_s")}
			for _, key := range []string{"p50_ms", "p99_ms", "first_p50_ms", "first_p99_ms"} {
				line = append(line, r.span(key), span(r.against(direct, key, above)))
			}
			cpu := r.span("srv_us_per_delivery")
			if name == "direct" {
				cpu = "-"
			}
			lines = append(lines, append(line, cpu, count(r.bad()), r.foreign()))
		}
	}
	grid(w, "**A model's words to 10 followers**", "scenario | relay | deliveries/s | chunk p50 ms | above direct | chunk p99 ms | above direct | "+
		"first chunk p50 ms | above direct | first chunk p99 ms | above direct | CPU µs/delivery | lost or wrong | foreign cores", lines)
}
