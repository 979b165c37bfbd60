// hubbench measures durable appends inside one process, layer by layer: through the hub, through the embedded store
// alone, and through bare Pebble. walbench is the limit beneath them. It prints one JSON line.
//
//	-layer hub       hub.Do with a PostMessage, as a stream's receiver issues it
//	-layer journal   embedded.Store.Append of one entry, without a hub
//	-layer pebble    pebble.DB.Set with Sync, from each writer
//	-layer open      the time to open a cold room of -entries entries, and to show it
//
//	-writers N       closed loop: N writers, each waits for its acknowledgement before the next append
//	-rate R          open loop: R events/s whatever the disk does, by -writers goroutines at most
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"syscall"
	"time"
)

type config struct {
	layer, dir, label string
	writers, rooms    int
	size, entries     int
	rate              float64
	dur, warm         time.Duration
	rep               int
	profile           string
}

func main() {
	cf := &config{}
	flag.StringVar(&cf.layer, "layer", "hub", "hub, journal, pebble or open")
	flag.StringVar(&cf.dir, "dir", "", "an empty folder on the disk to measure; it is removed afterwards")
	flag.StringVar(&cf.label, "label", "", "copied to the output")
	flag.IntVar(&cf.writers, "writers", 64, "writers")
	flag.IntVar(&cf.rooms, "rooms", 16, "rooms, written to in turn")
	flag.IntVar(&cf.size, "size", 200, "bytes of a message")
	flag.IntVar(&cf.entries, "entries", 10_000, "open: entries of the room")
	flag.Float64Var(&cf.rate, "rate", 0, "events/s of an open loop; 0 is a closed loop")
	flag.DurationVar(&cf.dur, "dur", 3*time.Second, "how long to measure")
	flag.DurationVar(&cf.warm, "warm", 500*time.Millisecond, "unrecorded time before")
	flag.IntVar(&cf.rep, "rep", 0, "repetition, copied to the output")
	flag.StringVar(&cf.profile, "cpuprofile", "", "write a CPU profile of the measured time to this file")
	flag.Parse()
	if err := run(cf); err != nil {
		fmt.Fprintln(os.Stderr, "hubbench:", err)
		os.Exit(1)
	}
}

func run(cf *config) error {
	if cf.dir == "" {
		return fmt.Errorf("-dir is missing")
	}
	if err := os.MkdirAll(cf.dir, 0o755); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(cf.dir) }()
	if cf.layer == "open" {
		return openRoom(cf)
	}
	l, err := newLayer(cf)
	if err != nil {
		return err
	}
	m, err := measure(cf, l)
	if err != nil {
		return err
	}
	if err := l.close(); err != nil {
		return err
	}
	return emit(cf, m)
}

func emit(cf *config, m map[string]any) error {
	m["label"], m["rep"], m["layer"] = cf.label, cf.rep, cf.layer
	m["producers"], m["rooms"], m["rate"], m["size"] = cf.writers, cf.rooms, cf.rate, cf.size
	line, err := json.Marshal(m)
	fmt.Println(string(line))
	return err
}

// measure drives a layer and counts.
func measure(cf *config, l layer) (map[string]any, error) {
	d := newDriver(cf, l)
	if err := d.run(cf.warm); err != nil {
		return nil, err
	}
	runtime.GC()
	d.reset()
	if cf.profile != "" {
		f, err := os.Create(cf.profile)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		if err := pprof.StartCPUProfile(f); err != nil {
			return nil, err
		}
		defer pprof.StopCPUProfile()
	}
	syncs, cpu, busy, start := l.syncs(), ownCPU(), machineBusy(), time.Now()
	err := d.run(cf.dur)
	wall := time.Since(start).Seconds()
	own := ownCPU() - cpu
	events, lat := d.result()
	m := map[string]any{
		"events": events, "events_per_s": whole(float64(events) / wall), "wall_s": thousandths(wall),
		"syncs_per_s": whole(float64(l.syncs()-syncs) / wall), "mean_batch": thousandths(float64(events) / float64(max(l.syncs()-syncs, 1))),
		"p50_ms": quantile(lat, .5), "p99_ms": quantile(lat, .99), "p999_ms": quantile(lat, .999), "max_ms": quantile(lat, 1),
		"cpu_us_per_event": thousandths(own / float64(max(events, 1)) * 1e6), "cpu_cores": thousandths(own / wall),
		"foreign_cores": thousandths((machineBusy() - busy - own) / wall),
	}
	return m, err
}

func ownCPU() float64 {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return float64(r.Utime.Sec+r.Stime.Sec) + float64(r.Utime.Usec+r.Stime.Usec)/1e6
}

func machineBusy() float64 {
	f, err := os.Open("/proc/stat")
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }()
	var name string
	var user, nice, system, idle, iowait, irq, softirq float64
	_, _ = fmt.Fscan(f, &name, &user, &nice, &system, &idle, &iowait, &irq, &softirq)
	return (user + nice + system + irq + softirq) / 100
}

func quantile(sorted []int64, p float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[min(len(sorted)-1, int(p*float64(len(sorted))))]/1000) / 1000
}

func whole(x float64) float64       { return float64(int64(x)) }
func thousandths(x float64) float64 { return float64(int64(x*1000)) / 1000 }

// background is the context of everything here: a run ends by itself.
var background = context.Background()
