// loadgen drives one room server and prints one JSON line per phase.
//
// One thread runs one epoll loop over raw non-blocking sockets: it publishes, receives, parses the protocol's frames,
// finds the marker inside each payload (send time, sequence number, sender) and checks that every subscriber gets
// every message exactly once and in order. Nothing else runs in the process, so its cost per delivery is one read(2)
// plus a scan, the same for every target.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

type config struct {
	target, label, scenario, addr string
	relay, binary, llm, echo      bool

	subs, rooms, size, stall, chunks, rep, window, dialers int
	rate                                                   float64
	dur, peak, warm, idle, quietMax                        time.Duration
	quiet                                                  float64
	pids, helpers                                          string
	perf, meter                                            bool
}

func flags() *config {
	cf := &config{}
	flag.StringVar(&cf.target, "target", "ws-raw", "tcp-raw, ws-raw, grpc-raw, parley, nats, nats-js or sse-direct")
	flag.StringVar(&cf.label, "label", "", "copied to the output")
	flag.StringVar(&cf.scenario, "scenario", "fanout", "fanout: the first participant of a room publishes, all get it; audio: everyone publishes, the others get it; llm: a mention starts a stream of chunks")
	flag.StringVar(&cf.addr, "addr", "127.0.0.1:9000", "server address, loopback only")
	flag.BoolVar(&cf.binary, "binary", false, "publish binary frames")
	flag.BoolVar(&cf.echo, "echo", false, "audio: the server echoes frames to their sender, too")
	flag.IntVar(&cf.subs, "subs", 100, "subscribers per room")
	flag.IntVar(&cf.rooms, "rooms", 1, "rooms")
	flag.IntVar(&cf.stall, "stall", 0, "further subscribers per room that never read")
	flag.Float64Var(&cf.rate, "rate", 0, "messages/s over all rooms in the fixed-rate phase; 0 skips it")
	flag.DurationVar(&cf.dur, "dur", 5*time.Second, "length of the fixed-rate phase")
	flag.DurationVar(&cf.peak, "peak", 0, "length of the peak phase; 0 skips it")
	flag.IntVar(&cf.window, "window", 0, "deliveries outstanding in the peak phase; 0 chooses")
	flag.IntVar(&cf.size, "payload", 200, "payload bytes")
	flag.IntVar(&cf.chunks, "chunks", 0, "llm: chunks per mention")
	flag.DurationVar(&cf.warm, "warm", time.Second, "unrecorded time at the fixed rate before it is recorded")
	flag.DurationVar(&cf.idle, "idle", time.Second, "idle time before the memory is read")
	flag.StringVar(&cf.pids, "pid", "", "the server's processes, comma separated: CPU and memory")
	flag.Float64Var(&cf.quiet, "quiet", 0.15, "before each phase wait until the machine uses fewer cores than this")
	flag.StringVar(&cf.helpers, "helper", "", "further processes that belong to the measurement, comma separated: their CPU is nobody's")
	flag.BoolVar(&cf.meter, "meter", false, "send the server SIGUSR1 before and after each phase, for its meter of allocations")
	flag.DurationVar(&cf.quietMax, "quiet-max", 40*time.Second, "give up waiting after")
	flag.IntVar(&cf.rep, "rep", 0, "repetition, copied to the output")
	flag.BoolVar(&cf.perf, "perf", false, "count the server's instructions with perf stat (in a pass of its own: it costs time at every context switch)")
	flag.IntVar(&cf.dialers, "dialers", 16, "connections set up at a time")
	flag.Parse()
	cf.llm = cf.scenario == "llm"
	cf.relay = cf.scenario == "audio" && !cf.echo
	return cf
}

func main() {
	if err := run(flags()); err != nil {
		fmt.Fprintln(os.Stderr, "loadgen:", err)
		os.Exit(1)
	}
}

func run(cf *config) error {
	debug.SetGCPercent(800)
	t, err := newTarget(cf.target, cf)
	if err != nil {
		return err
	}
	r := &runner{cf: cf, lp: newLoop(t, cf), pids: pidList(cf.pids), helpers: pidList(cf.helpers)}
	runtime.LockOSThread()
	if err := r.connect(); err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	r.publishers()
	if cf.rate > 0 {
		r.phase("rate", func() { r.lp.rate(cf.rate, cf.dur) })
	}
	if cf.peak > 0 {
		r.phase("peak", func() { r.lp.peak(r.window(), cf.peak) })
	}
	if cf.rate == 0 && cf.peak == 0 {
		r.phase("idle", func() {})
	}
	if r.lp.deadN > 0 {
		return fmt.Errorf("%d connections were lost: %s", r.lp.deadN, r.lp.why)
	}
	return nil
}

func pidList(s string) (pids []int) {
	for _, x := range strings.Split(s, ",") {
		if n, err := strconv.Atoi(x); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}

// A runner sets up and measures.
type runner struct {
	cf      *config
	lp      *loop
	pids    []int
	helpers []int

	connectTook       time.Duration
	rssBase, rssIdle  float64
	slabBase, slabNow float64
}

func (r *runner) rss() (kb float64) {
	for _, p := range r.pids {
		kb += rssKB(p)
	}
	return kb
}

// connect makes the rooms and lets everybody in, the first participant of every room first. The loop already serves
// those who are in: they are told of those who come.
func (r *runner) connect() error {
	cf, lp := r.cf, r.lp
	r.rssBase, r.slabBase = r.rss(), slabKB()
	start := time.Now()
	if err := lp.t.prepare(cf.rooms); err != nil {
		return err
	}
	n := (cf.subs + cf.stall) * cf.rooms
	lp.conns = make([]*conn, n)
	work, ready, failed := make(chan int, n), make(chan *conn, cf.dialers), make(chan error, cf.dialers)
	for i := range n {
		work <- i
	}
	close(work)
	var wg sync.WaitGroup
	for range cf.dialers {
		wg.Go(func() {
			for i := range work {
				c, err := r.enter(i)
				if err != nil {
					failed <- fmt.Errorf("participant %d: %w", i, err)
					return
				}
				ready <- c
			}
		})
	}
	for in := 0; in < n; {
		select {
		case c := <-ready:
			lp.add(c)
			in++
		case err := <-failed:
			return err
		default:
			lp.turn(1)
		}
	}
	wg.Wait()
	r.connectTook = time.Since(start)
	lp.idle(cf.idle)
	r.rssIdle, r.slabNow = r.rss(), slabKB()
	return nil
}

func (r *runner) enter(i int) (*conn, error) {
	c := &conn{i: i, room: i % r.cf.rooms, idx: i / r.cf.rooms}
	c.stalled = c.idx >= r.cf.subs
	s, err := dial(r.cf.addr)
	if err != nil {
		return nil, err
	}
	if err := r.lp.t.setup(c, s); err != nil {
		return nil, err
	}
	_ = unix.SetNonblock(s.fd, true)
	c.fd, c.left = s.fd, append(c.left, s.buf...)
	return c, nil
}

func (r *runner) publishers() {
	cf, lp := r.cf, r.lp
	for _, c := range lp.conns {
		if c.idx == 0 || cf.scenario == "audio" && !c.stalled {
			lp.pubs = append(lp.pubs, c)
			c.pay = newPayload(cf.size, c.idx)
		}
	}
	switch {
	case cf.relay:
		lp.fan = uint64(cf.subs - 1)
	case cf.llm:
		lp.fan = uint64(cf.subs * cf.chunks)
	default:
		lp.fan = uint64(cf.subs)
	}
}

// window is how many deliveries are outstanding at peak: half the rooms busy, or a few messages of one room.
func (r *runner) window() int64 {
	if r.cf.window > 0 {
		return int64(r.cf.window)
	}
	fan := int(r.lp.fan)
	messages := min(max(4096/fan, 4), 128)
	if r.cf.rooms > 1 {
		messages = max(messages, r.cf.rooms/2)
	}
	return int64(messages * fan)
}

// maxTail is how long a phase waits for what is outstanding.
const maxTail = 5 * time.Second

func (r *runner) phase(name string, run func()) {
	cf, lp := r.cf, r.lp
	waited, load := waitQuiet(cf.quiet, cf.quietMax)
	lp.h, lp.late, lp.first = nil, nil, nil
	switch {
	case name == "rate" && cf.warm > 0:
		lp.rate(cf.rate, cf.warm)
	case name == "peak":
		lp.peak(r.window(), cf.peak/8+1)
	}
	lp.drain(maxTail)
	lp.h, lp.late, lp.first = &hist{}, &hist{}, &hist{}
	lp.bytes, lp.reads, lp.bad = 0, 0, 0
	var counter *perfCount
	if cf.perf {
		counter = perfStart(cf.pids)
	}
	r.readMeter()
	before := takeSnap(r.pids, r.helpers)
	run()
	if name == "rate" { // the tail of a fixed rate belongs to it
		lp.tail(maxTail)
	}
	after := takeSnap(r.pids, r.helpers)
	r.readMeter()
	m := r.measured(name, before, after)
	for k, v := range counter.stop() {
		m[k+"_per_delivery"] = round(v / float64(lp.got))
	}
	m["quiet_wait_s"], m["quiet_load"] = round(waited), round(load)
	h := lp.h
	lp.h = nil
	m["lost"] = lp.drain(maxTail)
	lp.h = h
	m["order_errors"], m["dead_conns"], m["dead_why"] = lp.bad, lp.deadN, lp.why
	line, _ := json.Marshal(m)
	fmt.Println(string(line))
	lp.h = nil
}

// readMeter has the server write down what it has allocated so far.
func (r *runner) readMeter() {
	if !r.cf.meter {
		return
	}
	for _, p := range r.pids {
		_ = unix.Kill(p, unix.SIGUSR1)
	}
	time.Sleep(50 * time.Millisecond)
}

func (r *runner) measured(phase string, a, b snap) map[string]any {
	cf, lp := r.cf, r.lp
	wall := b.t.Sub(a.t).Seconds()
	server, own := b.srv-a.srv, b.gen-a.gen
	got, conns := float64(lp.got), float64(len(lp.conns))
	m := map[string]any{
		"label": cf.label, "target": cf.target, "scenario": cf.scenario, "phase": phase, "rep": cf.rep,
		"rooms": cf.rooms, "subs": cf.subs, "stall": cf.stall, "payload": cf.size, "rate": cf.rate, "wall_s": round(wall),
		"msgs": lp.sent, "deliveries": lp.got, "deliv_per_s": round(got / wall),
		"p50_ms": round(lp.h.ms(.5)), "p90_ms": round(lp.h.ms(.9)), "p99_ms": round(lp.h.ms(.99)), "p999_ms": round(lp.h.ms(.999)), "max_ms": round(float64(lp.h.max) / 1e6),
		"srv_cpu_s": round(server), "srv_cores": round(server / wall), "srv_user_s": round(b.srvU - a.srvU), "srv_sys_s": round(b.srvS - a.srvS),
		"srv_us_per_delivery": round(server / got * 1e6), "deliv_per_cpu_s": round(got / server),
		"gen_cpu_s": round(own), "gen_cores": round(own / wall), "gen_us_per_delivery": round(own / got * 1e6), "gen_late_p99_ms": round(lp.late.ms(.99)),
		"foreign_cores": round((b.busy - a.busy - server - own - (b.helper - a.helper)) / wall), "steal_cores": round((b.steal - a.steal) / wall),
		"reads_per_delivery": round(float64(lp.reads) / got), "wire_bytes_per_delivery": round(float64(lp.bytes) / got),
		"connect_s": round(r.connectTook.Seconds()), "rss_base_kb": r.rssBase, "rss_idle_kb": r.rssIdle, "rss_end_kb": r.rss(),
		"rss_per_conn_kb": round((r.rssIdle - r.rssBase) / conns), "slab_per_conn_kb": round((r.slabNow - r.slabBase) / conns),
	}
	if cf.llm {
		m["first_p50_ms"], m["first_p99_ms"], m["first_n"] = round(lp.first.ms(.5)), round(lp.first.ms(.99)), lp.first.n
	}
	return m
}

// round keeps three decimals; what is no number becomes -1.
func round(x float64) float64 {
	if x != x || x > 1e300 || x < -1e300 {
		return -1
	}
	return float64(int64(x*1000+0.5)) / 1000
}
